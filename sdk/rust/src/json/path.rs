//! The way to a value.

use std::iter;

/// The way to a value: names of members, and numbers of items of arrays, from 0.
///
/// - A `&str` has dots between its steps: `"user.roles.0"`.
/// - An array or slice of texts has a step each. That is the way to names that have dots: `["user.name"]`.
pub trait Path: sealed::Sealed {
    /// The steps, in order; at least one.
    fn steps(&self) -> impl Iterator<Item = &str>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for str {}
    impl Sealed for String {}
    impl<S: AsRef<str>> Sealed for [S] {}
    impl<S: AsRef<str>, const N: usize> Sealed for [S; N] {}
    impl<P: Sealed + ?Sized> Sealed for &P {}
}

impl Path for str {
    fn steps(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(self);
        iter::from_fn(move || {
            let path = rest?;
            let end = path.bytes().position(|byte| byte == b'.');
            let (step, behind) = end.and_then(|end| path.split_at_checked(end)).unwrap_or((path, ""));
            rest = behind.get(1..);
            Some(step)
        })
    }
}

impl Path for String {
    fn steps(&self) -> impl Iterator<Item = &str> {
        self.as_str().steps()
    }
}

impl<S: AsRef<str>> Path for [S] {
    fn steps(&self) -> impl Iterator<Item = &str> {
        self.iter().map(AsRef::as_ref)
    }
}

impl<S: AsRef<str>, const N: usize> Path for [S; N] {
    fn steps(&self) -> impl Iterator<Item = &str> {
        self.iter().map(AsRef::as_ref)
    }
}

impl<P: Path + ?Sized> Path for &P {
    fn steps(&self) -> impl Iterator<Item = &str> {
        (**self).steps()
    }
}
