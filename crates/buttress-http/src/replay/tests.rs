//! A tee against a naive twin, which keeps all it has read.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
};

use buttress_core::Favoured;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use proptest::prelude::*;

use super::{
    Kept, ReplayError,
    part::Part,
    state::State,
    tee::{LOST, Tee},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body of such frames and errors.
pub(super) struct Parts(pub(super) VecDeque<Result<Frame<Bytes>, BoxError>>);

impl Body for Parts {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.pop_front())
    }
}

/// What a source does next.
#[derive(Clone, Debug)]
enum Step {
    Data(Bytes),
    Trailers(u8),
    /// Nothing, until it is told to go on.
    Stop,
    /// Nothing, and wakes at once.
    Yield,
    Fail,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq)]
enum Got {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(String),
    End,
    Wait,
}

fn trailers(value: u8) -> HeaderMap {
    HeaderMap::from_iter([(http::header::AGE, HeaderValue::from(u16::from(value)))])
}

impl Step {
    fn frame(&self) -> Option<Got> {
        match self {
            Self::Data(data) => Some(Got::Data(data.clone())),
            Self::Trailers(value) => Some(Got::Trailers(trailers(*value))),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Inside {
    steps: VecDeque<Step>,
    /// Does it say that it is over before it is asked for more?
    tells: bool,
    waker: Option<Waker>,
    dropped: bool,
}

/// A source that is told when to go on.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Inside>>);

/// What is given to the tee: dropped when it is.
struct Scripted(Script);

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().dropped = true;
    }
}

impl Script {
    fn new(steps: &[Step], tells: bool) -> Self {
        let script = Self::default();
        script.0.lock().unwrap().steps = steps.iter().cloned().collect();
        script.0.lock().unwrap().tells = tells;
        script
    }

    fn go_on(&self) {
        let mut inside = self.0.lock().unwrap();
        if matches!(inside.steps.front(), Some(Step::Stop)) {
            inside.steps.pop_front();
            if let Some(waker) = inside.waker.take() {
                drop(inside);
                waker.wake();
            }
        }
    }
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut inside = self.0.0.lock().unwrap();
        if matches!(inside.steps.front(), Some(Step::Stop)) {
            inside.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match inside.steps.pop_front() {
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::Trailers(value)) => Poll::Ready(Some(Ok(Frame::trailers(trailers(value))))),
            Some(Step::Fail) => Poll::Ready(Some(Err("cable".into()))),
            Some(Step::Yield | Step::Stop) => {
                drop(inside);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        let inside = self.0.0.lock().unwrap();
        inside.tells && inside.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(length(&self.0.0.lock().unwrap().steps))
    }
}

fn length<'a>(steps: impl IntoIterator<Item = &'a Step>) -> u64 {
    let len = |step: &Step| match step {
        Step::Data(data) => data.len() as u64,
        _ => 0,
    };
    steps.into_iter().map(len).sum()
}

fn cost(step: &Step) -> usize {
    match step {
        Step::Data(data) => Part::Data(data.clone()).cost(),
        Step::Trailers(value) => Part::Trailers(trailers(*value)).cost(),
        _ => 0,
    }
}

fn tee(script: &Script, each: usize, all: &'static AtomicUsize) -> [Tee<Scripted>; 2] {
    let state = State::new(Scripted(script.clone()), Kept::DEFAULT.each(each), all);
    Tee::of(state, BoxError::from)
}

fn poll<B: Body<Data = Bytes, Error = BoxError> + Unpin>(body: &mut B, waker: &Waker) -> Got {
    match Pin::new(body).poll_frame(&mut Context::from_waker(waker)) {
        Poll::Pending => Got::Wait,
        Poll::Ready(None) => Got::End,
        Poll::Ready(Some(Err(error))) => Got::Error(error.to_string()),
        Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
            Ok(data) => Got::Data(data),
            Err(frame) => Got::Trailers(frame.into_trailers().unwrap_or_default()),
        },
    }
}

/// Keeps all that was ever read, and looks it through each time.
struct Twin {
    steps: VecDeque<Step>,
    tells: bool,
    each: usize,
    read: Vec<Step>,
    end: Option<Option<String>>,
    at: [usize; 2],
    over: [bool; 2],
    behind: [bool; 2],
}

impl Twin {
    fn new(steps: &[Step], tells: bool, each: usize) -> Self {
        Self {
            steps: steps.iter().cloned().collect(),
            tells,
            each,
            read: Vec::new(),
            end: None,
            at: [0; 2],
            over: [false; 2],
            behind: [false; 2],
        }
    }

    fn kept(&self) -> usize {
        let kept = |side: usize| {
            let reads = !self.over[side] && !self.behind[side];
            let kept = self.read[self.at[side]..].iter().map(cost).sum();
            if reads { kept } else { 0 }
        };
        kept(0).max(kept(1))
    }

    fn poll(&mut self, side: usize) -> Got {
        if self.over[side] {
            return Got::End;
        }
        if self.behind[side] {
            self.over[side] = true;
            return Got::Error(ReplayError::Behind.to_string());
        }
        if let Some(step) = self.read.get(self.at[side]) {
            self.at[side] += 1;
            return step.frame().unwrap();
        }
        if let Some(end) = &self.end {
            self.over[side] = true;
            let words = |words: &String| ReplayError::Source(words.as_str().into()).to_string();
            return end.as_ref().map_or(Got::End, |end| Got::Error(words(end)));
        }
        let got = match self.steps.front() {
            Some(Step::Stop) => return Got::Wait,
            Some(Step::Yield) => Got::Wait,
            Some(Step::Fail) => {
                self.end = Some(Some("cable".into()));
                self.over[side] = true;
                Got::Error("cable".into())
            }
            None => {
                self.end = Some(None);
                self.over[side] = true;
                Got::End
            }
            Some(step) => {
                self.read.push(step.clone());
                self.at[side] += 1;
                self.behind[1 - side] |= !self.over[1 - side] && self.kept() > self.each;
                step.frame().unwrap()
            }
        };
        self.steps.pop_front();
        if self.tells && self.steps.is_empty() && self.end.is_none() {
            self.end = Some(None);
        }
        got
    }

    fn length(&self, side: usize) -> u64 {
        let failed = matches!(self.end, Some(Some(_)));
        if self.over[side] {
            0
        } else if self.behind[side] || failed {
            LOST
        } else {
            length(&self.read[self.at[side]..]) + length(&self.steps)
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Do {
    Poll(usize),
    GoOn,
    Drop(usize),
    /// Is woken, and does not read on.
    Stall(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let data = (0_usize..400).prop_map(|len| Step::Data(vec![7; len].into()));
    let step = prop_oneof![
        6 => data,
        1 => any::<u8>().prop_map(Step::Trailers),
        2 => Just(Step::Stop),
        1 => Just(Step::Yield),
        1 => Just(Step::Fail),
    ];
    prop::collection::vec(step, 0..12)
}

fn doings() -> impl Strategy<Value = Vec<Do>> {
    let one = prop_oneof![
        12 => (0_usize..2).prop_map(Do::Poll),
        4 => Just(Do::GoOn),
        1 => (0_usize..2).prop_map(Do::Drop),
        1 => (0_usize..2).prop_map(Do::Stall),
    ];
    prop::collection::vec(one, 0..40)
}

fn counter() -> &'static AtomicUsize {
    Box::leak(Box::default())
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

proptest! {
    #[test]
    fn reads_as_one_that_keeps_all_and_holds_no_more_than_it_may(
        steps in steps(), doings in doings(), each in 0_usize..1_500, tells: bool,
    ) {
        let (script, all) = (Script::new(&steps, tells), counter());
        let mut tees = tee(&script, each, all).map(Some);
        let mut twin = Twin::new(&steps, tells, each);
        for doing in doings {
            match doing {
                Do::Poll(side) => if let Some(tee) = &mut tees[side] {
                    prop_assert_eq!(poll(tee, Waker::noop()), twin.poll(side));
                },
                Do::GoOn => {
                    script.go_on();
                    if matches!(twin.steps.front(), Some(Step::Stop)) {
                        twin.steps.pop_front();
                    }
                }
                Do::Drop(side) => {
                    tees[side] = None;
                    twin.over[side] = true;
                }
                Do::Stall(_) => {}
            }
            for (side, tee) in tees.iter().enumerate() {
                if let Some(tee) = tee {
                    prop_assert_eq!(tee.size_hint().lower(), twin.length(side));
                    prop_assert!(!tee.is_end_stream() || twin.length(side) == 0);
                }
            }
            prop_assert_eq!(all.load(Ordering::SeqCst), twin.kept());
            prop_assert!(twin.kept() <= each);
            if tees.iter().all(Option::is_none) {
                prop_assert!(script.0.lock().unwrap().dropped);
            }
        }
        drop(tees);
        prop_assert_eq!(all.load(Ordering::SeqCst), 0);
        prop_assert!(script.0.lock().unwrap().dropped);
    }

    #[test]
    fn whoever_waits_is_woken_whatever_the_other_does(
        steps in steps(), doings in doings(), each in 0_usize..1_500, tells: bool,
    ) {
        let script = Script::new(&steps, tells);
        let mut tees = tee(&script, each, counter()).map(Some);
        let flags = [0, 1].map(|_| Arc::new(Flag(AtomicBool::new(true))));
        let wakers = [0, 1].map(|side: usize| Waker::from(flags[side].clone()));
        let (mut stalled, mut done) = ([false; 2], [false; 2]);
        let mut run = |tees: &mut [Option<Tee<Scripted>>; 2], side: usize| {
            let Some(tee) = &mut tees[side] else { return false };
            if done[side] || !flags[side].0.swap(false, Ordering::SeqCst) {
                return false;
            }
            match poll(tee, &wakers[side]) {
                Got::Wait => {}
                Got::End | Got::Error(_) => done[side] = true,
                _ => flags[side].0.store(true, Ordering::SeqCst),
            }
            true
        };
        for doing in doings {
            match doing {
                Do::Poll(side) if !stalled[side] => { run(&mut tees, side); }
                Do::Poll(_) => {}
                Do::GoOn => script.go_on(),
                Do::Drop(side) => tees[side] = None,
                Do::Stall(side) => stalled[side] = true,
            }
        }
        for _ in 0..=steps.len() {
            while (0..2).any(|side| !stalled[side] && run(&mut tees, side)) {}
            script.go_on();
        }
        while (0..2).any(|side| !stalled[side] && run(&mut tees, side)) {}
        for (side, tee) in tees.iter().enumerate() {
            prop_assert!(tee.is_none() || stalled[side] || done[side], "side {}", side);
        }
    }
}

#[test]
fn many_small_frames_cost_their_places() {
    let frame = || Step::Data(Bytes::from_static(b"x"));
    let script = Script::new(&vec![frame(); 100], false);
    let [mut one, mut two] = tee(&script, 50 * size_of::<Part>(), counter());
    while poll(&mut one, Waker::noop()) != Got::End {}
    assert_eq!(
        poll(&mut two, Waker::noop()),
        Got::Error(ReplayError::Behind.to_string())
    );
}

#[test]
fn all_together_keep_no_more_than_they_may() {
    let all = counter();
    let limits = Kept::DEFAULT.total(1_000);
    let kilo = || Scripted(Script::new(&[Step::Data(vec![0; 600].into())], false));
    let mut tees = [(); 2].map(|()| Tee::of(State::new(kilo(), limits, all), BoxError::from));
    for [one, _] in &mut tees {
        poll(one, Waker::noop());
    }
    assert_eq!(all.load(Ordering::SeqCst), 600);
    let kept = tees.map(|[_, two]| two.size_hint().exact());
    assert_eq!(kept, [Some(600), None]);
}

#[test]
fn whoever_panics_leaves_an_error_and_no_silence() {
    struct Bomb;
    impl Body for Bomb {
        type Data = Bytes;
        type Error = BoxError;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            panic!("bomb")
        }
    }
    let [mut one, mut two] = Tee::of(State::new(Bomb, Kept::DEFAULT, counter()), BoxError::from);
    let read = AssertUnwindSafe(|| poll(&mut one, Waker::noop()));
    assert!(catch_unwind(read).is_err());
    assert!(matches!(poll(&mut two, Waker::noop()), Got::Error(_)));
    assert_eq!(poll(&mut two, Waker::noop()), Got::End);
}

/// Runs something when it is polled, and says nothing the first time.
struct Busy<F>(F, usize);

impl<F: FnMut() + Unpin> Body for Busy<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.1 += 1;
        self.0();
        match self.1 {
            1 => Poll::Pending,
            _ => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x"))))),
        }
    }
}

#[test]
fn a_frame_that_one_has_read_wakes_the_other_though_the_source_does_not() {
    let [mut one, mut two] = Tee::of(
        State::new(Busy(|| {}, 0), Kept::DEFAULT, counter()),
        BoxError::from,
    );
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    assert_eq!(poll(&mut two, &flag.clone().into()), Got::Wait);
    assert!(matches!(poll(&mut one, Waker::noop()), Got::Data(_)));
    assert!(flag.0.load(Ordering::SeqCst));
}

#[test]
fn whoever_asks_while_the_other_reads_is_woken_when_that_has_nothing() {
    type Slot = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;
    let slot = Slot::default();
    let inside = slot.clone();
    let busy = Busy(
        move || {
            if let Some(ask) = &mut *inside.lock().unwrap() {
                ask();
            }
        },
        0,
    );
    let [mut one, mut two] = Tee::of(State::new(busy, Kept::DEFAULT, counter()), BoxError::from);
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag.clone());
    let ask = move || assert_eq!(poll(&mut two, &waker), Got::Wait);
    *slot.lock().unwrap() = Some(Box::new(ask));
    assert_eq!(poll(&mut one, Waker::noop()), Got::Wait);
    assert!(flag.0.load(Ordering::SeqCst));
    // They hold each other.
    *slot.lock().unwrap() = None;
}

struct Parked(thread::Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Two threads read at once, while a third lets the source go on.
#[test]
fn two_threads_both_read_the_whole() {
    let data = |byte: u8| Step::Data(vec![byte; 10].into());
    let steps: Vec<Step> = (0..200).flat_map(|byte| [data(byte), Step::Stop]).collect();
    let whole: Vec<u8> = (0..200).flat_map(|byte| [byte; 10]).collect();
    for _ in 0..20 {
        let script = Script::new(&steps, true);
        let tees = tee(&script, usize::MAX, counter());
        thread::scope(|scope| {
            let readers = tees.map(|mut tee| {
                scope.spawn(move || {
                    let waker = Waker::from(Arc::new(Parked(thread::current())));
                    let mut read = Vec::new();
                    loop {
                        match poll(&mut tee, &waker) {
                            Got::Data(data) => read.extend_from_slice(&data),
                            Got::Wait => thread::park(),
                            Got::End => return read,
                            other => panic!("{other:?}"),
                        }
                    }
                })
            });
            while !script.0.lock().unwrap().steps.is_empty() {
                script.go_on();
                thread::yield_now();
            }
            for reader in readers {
                assert_eq!(reader.join().unwrap(), whole);
            }
        });
    }
}

#[test]
fn a_tee_goes_wherever_its_source_goes() {
    const fn goes<T: Send + Sync + 'static>() {}
    goes::<Tee<http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>>>();
}

#[test]
fn whoever_matters_is_not_cut_though_it_is_behind() {
    for (whom, ahead) in [(Favoured::Original, 1), (Favoured::Copy, 0)] {
        let all = counter();
        let frames: Vec<Step> = (0..4).map(|n| Step::Data(vec![n; 600].into())).collect();
        let source = Scripted(Script::new(&frames, false));
        let state = State::new(source, Kept::DEFAULT.each(1_500), all);
        let mut sides = Tee::of(state, BoxError::from);
        sides[0].favour().give(whom);
        for frame in &frames[..3] {
            let got = poll(&mut sides[ahead], Waker::noop());
            assert_eq!(Some(got), frame.frame());
        }
        let cut = Got::Error(ReplayError::Behind.to_string());
        assert_eq!(poll(&mut sides[ahead], Waker::noop()), cut, "{whom:?}");
        for frame in &frames {
            let got = poll(&mut sides[1 - ahead], Waker::noop());
            assert_eq!(Some(got), frame.frame(), "{whom:?}");
        }
        assert_eq!(poll(&mut sides[1 - ahead], Waker::noop()), Got::End);
        drop(sides);
        assert_eq!(all.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn whoever_has_read_all_of_it_is_not_cut() {
    for (whom, ahead) in [(Favoured::Original, 1), (Favoured::Copy, 0)] {
        let frames: Vec<Step> = (0..3).map(|n| Step::Data(vec![n; 600].into())).collect();
        let source = Scripted(Script::new(&frames, true));
        let state = State::new(source, Kept::DEFAULT.each(1_500), counter());
        let mut sides = Tee::of(state, BoxError::from);
        sides[0].favour().give(whom);
        for frame in &frames {
            assert_eq!(Some(poll(&mut sides[ahead], Waker::noop())), frame.frame());
        }
        assert!(sides[ahead].is_end_stream(), "{whom:?}");
        assert_eq!(poll(&mut sides[ahead], Waker::noop()), Got::End, "{whom:?}");
    }
}
