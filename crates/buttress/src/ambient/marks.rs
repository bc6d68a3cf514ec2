//! What goes with a deadline, in one byte.

use buttress_core::Priority;

/// What goes with the deadline of a call: how much it matters, whether it is an extra send, and whether its deadline is kept around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks(u8);

const KEPT: u8 = 1;
const EXTRA: u8 = 2;
/// The number of the priority, from 1 on, is above these bits.
const PRIORITY: u32 = 2;

impl Marks {
    pub(crate) const NONE: Self = Self(0);

    /// Does whoever polls us give up by the deadline, and all our parts with us?
    #[inline]
    pub(crate) const fn is_kept(self) -> bool {
        self.0 & KEPT != 0
    }

    /// Is it an extra send already?
    #[inline]
    pub(crate) const fn is_extra(self) -> bool {
        self.0 & EXTRA != 0
    }

    #[inline]
    pub(crate) fn priority(self) -> Option<Priority> {
        let place = usize::from(self.0 >> PRIORITY).checked_sub(1)?;
        Priority::ALL.get(place).copied()
    }

    #[inline]
    pub(crate) const fn say_more_than_kept(self) -> bool {
        self.0 & !KEPT != 0
    }

    #[inline]
    pub(crate) const fn kept(self, kept: bool) -> Self {
        Self(self.0 & !KEPT | if kept { KEPT } else { 0 })
    }

    #[inline]
    pub(crate) const fn extra(self, extra: bool) -> Self {
        Self(self.0 | if extra { EXTRA } else { 0 })
    }

    /// The same of a part of it. A part of what matters little does not matter more; where nothing is said, it matters as much.
    #[inline]
    pub(crate) fn tightened(self, priority: Option<Priority>, extra: bool) -> Self {
        let Some(own) = priority else {
            return self.extra(extra);
        };
        let least = self.priority().map_or(own, |around| around.min(own));
        let flags = self.extra(extra).0 & (KEPT | EXTRA);
        Self(flags | (least as u8 + 1) << PRIORITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_said_is_read_and_only_tightens() {
        let said = [None].into_iter().chain(Priority::ALL.map(Some));
        for (around, own) in said
            .clone()
            .flat_map(|one| said.clone().map(move |other| (one, other)))
        {
            for flags in 0..4 {
                let (kept, extra) = (flags & 1 != 0, flags & 2 != 0);
                let marks = Marks::NONE.tightened(around, extra).kept(kept);
                let part = marks.tightened(own, false);
                let least = around.into_iter().chain(own).min();
                assert_eq!((marks.priority(), part.priority()), (around, least));
                assert_eq!((part.is_kept(), part.is_extra()), (kept, extra));
            }
        }
    }
}
