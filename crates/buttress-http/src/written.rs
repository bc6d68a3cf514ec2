//! Values that are written over and over.

use std::cell::RefCell;

use http::HeaderValue;

/// The last value that was written, and of what: mostly the deadline of one policy.
pub(crate) struct Written<K>(RefCell<Option<(K, HeaderValue)>>);

impl<K: Copy + PartialEq> Written<K> {
    pub(crate) const fn nothing() -> Self {
        Self(RefCell::new(None))
    }

    /// That of `of`, made if it is another than the last.
    pub(crate) fn value(&self, of: K, make: impl FnOnce(K) -> HeaderValue) -> HeaderValue {
        let mut last = self.0.borrow_mut();
        match &*last {
            Some((known, value)) if *known == of => value.clone(),
            _ => {
                let value = make(of);
                *last = Some((of, value.clone()));
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_again_is_made_once() {
        let (written, made) = (Written::nothing(), std::cell::Cell::new(0));
        let value = |of: u64| {
            written.value(of, |of| {
                made.set(made.get() + 1);
                HeaderValue::from(of)
            })
        };
        assert_eq!(
            [value(7), value(7), value(8), value(7)],
            ["7", "7", "8", "7"]
        );
        assert_eq!(made.get(), 3);
    }
}
