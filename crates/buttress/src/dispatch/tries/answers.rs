//! Good answers that have to agree.

use buttress_core::{Cause, Outcome, Protocol, Receipt};

/// Good answers, by what they say. Nothing is kept where one is enough.
pub(super) struct Answers<Res> {
    groups: Vec<Vec<Answer<Res>>>,
}

struct Answer<Res> {
    response: Res,
    receipt: Receipt,
}

impl<Res> Answers<Res> {
    pub(super) const fn none() -> Self {
        Self { groups: Vec::new() }
    }

    pub(super) fn add<P, Err>(&mut self, response: Res, receipt: Receipt, protocol: &P)
    where
        P: Protocol<Res, Err>,
    {
        let same = |group: &&mut Vec<Answer<Res>>| {
            let first = group.first();
            first.is_some_and(|first| {
                first.receipt.outcome() == receipt.outcome()
                    && protocol.agree(&first.response, &response)
            })
        };
        let group = self.groups.iter_mut().find(same);
        let answer = Answer { response, receipt };
        match group {
            Some(group) => group.push(answer),
            None => self.groups.push(vec![answer]),
        }
    }

    /// How many agree, at most.
    pub(super) fn most(&self) -> u32 {
        let sizes = self.groups.iter().map(Vec::len);
        sizes.max().unwrap_or_default() as u32
    }

    /// The answer on which so many agree. Whoever said something else has failed.
    pub(super) fn agreed<P, Err>(&mut self, needed: u32, protocol: &P) -> Option<P::Response>
    where
        P: Protocol<Res, Err>,
    {
        let enough = |group: &Vec<Answer<Res>>| group.len() as u32 >= needed;
        let index = self.groups.iter().position(enough)?;
        let mut group = self.groups.swap_remove(index);
        for mut dissenter in self.groups.drain(..).flatten() {
            dissenter.receipt.finish(Outcome::Failure(Cause::Dissent));
        }
        let answer = group.pop()?;
        drop(group);
        Some(protocol.respond(answer.response, answer.receipt))
    }

    /// There is no agreement: each stands for itself.
    pub(super) fn end(&mut self) {
        self.groups.clear();
    }
}
