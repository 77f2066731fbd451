//! What may be set as a value.

use std::{borrow::Cow, fmt, io::Write};

use super::{Error, Value, scan::Scanner, text};

/// What may be set as a value: texts, numbers, booleans, `None` as null, [`Raw`] JSON, and a [`Value`] of another
/// document.
pub trait ToJson: sealed::Sealed {
    #[doc(hidden)]
    fn write(&self, out: &mut Vec<u8>);
}

mod sealed {
    pub trait Sealed {}
}

/// A value that is JSON already: judged when it is made, and written as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a [u8]);

impl<'a> Raw<'a> {
    /// Takes a value of any kind.
    ///
    /// # Errors
    /// It is not JSON.
    pub fn new(json: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<Self, Error> {
        let json = json.as_ref();
        let (begin, end) = Scanner::any(json)?;
        Ok(Self(json.get(begin..end).unwrap_or_default()))
    }
}

fn append(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    drop(out.write_fmt(text));
}

macro_rules! to_json {
    ($($of:ty: |$value:ident, $out:ident| $write:expr;)*) => {$(
        impl sealed::Sealed for $of {}
        impl ToJson for $of {
            fn write(&self, $out: &mut Vec<u8>) {
                let $value = self;
                $write;
            }
        }
    )*};
}

to_json! {
    str: |value, out| text::encode(value, out);
    String: |value, out| text::encode(value, out);
    Cow<'_, str>: |value, out| text::encode(value, out);
    bool: |value, out| out.extend_from_slice(if *value { b"true" } else { b"false" });
    i32: |value, out| append(out, format_args!("{value}"));
    i64: |value, out| append(out, format_args!("{value}"));
    u32: |value, out| append(out, format_args!("{value}"));
    u64: |value, out| append(out, format_args!("{value}"));
    usize: |value, out| append(out, format_args!("{value}"));
    // JSON has no number that is none.
    f64: |value, out| if value.is_finite() { append(out, format_args!("{value:?}")) } else { null(out) };
    Raw<'_>: |value, out| out.extend_from_slice(value.0);
    Value<'_>: |value, out| out.extend_from_slice(&value.raw());
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

impl<T: ToJson> sealed::Sealed for Option<T> {}
impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(out),
            None => null(out),
        }
    }
}

impl<T: ToJson + ?Sized> sealed::Sealed for &T {}
impl<T: ToJson + ?Sized> ToJson for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}
