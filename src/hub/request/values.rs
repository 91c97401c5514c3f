//! The parameters of a hub's form, decoded, before anybody asks what they mean.
//! What is unknown is passed over (checklist row 10); nothing is judged here.

use std::borrow::Cow;

use crate::http::form;
use crate::http::problem::{Problem, Reason};

/// A parameter that is to be given once.
#[derive(Debug, Default)]
pub(super) struct Once<'a> {
    first: Option<Cow<'a, [u8]>>,
    /// It was given again, and not the same.
    differs: bool,
}

impl<'a> Once<'a> {
    fn add(&mut self, value: Cow<'a, [u8]>) {
        match &self.first {
            None => self.first = Some(value),
            Some(first) => self.differs |= *first != value,
        }
    }

    /// The value, if it was given.
    ///
    /// # Errors
    /// Two values (hub.md C4). Neither is repeated: it may be the secret.
    pub(super) fn one(&self, parameter: &str) -> Result<Option<&[u8]>, Problem> {
        self.sole(parameter)?;
        Ok(self.first.as_deref())
    }

    /// As [`Once::one`], to keep.
    pub(super) fn take(self, parameter: &str) -> Result<Option<Cow<'a, [u8]>>, Problem> {
        self.sole(parameter)?;
        Ok(self.first)
    }

    /// The first value, whatever came after it.
    pub(super) fn first(&self) -> Option<&[u8]> {
        self.first.as_deref()
    }

    fn sole(&self, parameter: &str) -> Result<(), Problem> {
        if !self.differs {
            return Ok(());
        }
        Err(Problem::new(
            Reason::BadParameter,
            format!("{parameter} is given twice with different values; allowed: one value"),
        ))
    }
}

/// Everything in a form that a hub knows.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    pub(super) mode: Once<'a>,
    pub(super) topic: Once<'a>,
    pub(super) callback: Once<'a>,
    pub(super) secret: Once<'a>,
    pub(super) lease: Once<'a>,
    pub(super) token: Once<'a>,
    pub(super) signature_method: Once<'a>,
    pub(super) hash_algorithms: Once<'a>,
    pub(super) content: Once<'a>,
    pub(super) content_type: Once<'a>,
    /// Each `hub.verify`.
    pub(super) verify: Vec<Cow<'a, [u8]>>,
    /// Each `hub.topic` and `hub.url`, by the name it came under, in order.
    pub(super) urls: Vec<(&'static str, Cow<'a, [u8]>)>,
}

impl<'a> Values<'a> {
    /// Reads a form or a query.
    pub(super) fn read(text: &'a [u8]) -> Values<'a> {
        let mut values = Values::default();
        for field in form::fields(text) {
            values.add(&form::decode(field.name), form::decode(field.value));
        }
        values
    }

    fn add(&mut self, name: &[u8], value: Cow<'a, [u8]>) {
        let once = match name {
            b"hub.mode" => &mut self.mode,
            b"hub.callback" => &mut self.callback,
            b"hub.secret" => &mut self.secret,
            b"hub.lease_seconds" => &mut self.lease,
            b"hub.verify_token" => &mut self.token,
            b"hub.signature_method" => &mut self.signature_method,
            b"hub.hash_algorithms" => &mut self.hash_algorithms,
            b"hub.content" => &mut self.content,
            b"hub.content_type" => &mut self.content_type,
            b"hub.topic" | b"hub.topic[]" => {
                self.urls.push(("hub.topic", value.clone()));
                &mut self.topic
            }
            b"hub.url" | b"hub.url[]" => return self.urls.push(("hub.url", value)),
            b"hub.verify" => return self.verify.push(value),
            _ => return,
        };
        once.add(value);
    }
}
