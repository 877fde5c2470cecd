//! JSON bodies of records, without a copy that is not wiped.

use std::io;

use serde::Serialize;

use crate::secret::Secret;

/// `body` as JSON; `None` when it cannot be serialized.
///
/// It is serialized twice: once to count its bytes, and once into a buffer of that size. A buffer that grows would leave unwiped copies behind.
pub(crate) fn to_json(body: &impl Serialize) -> Option<Secret> {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, body).ok()?;
    let mut bytes = Vec::with_capacity(count.0);
    serde_json::to_writer(&mut bytes, body).ok()?;
    Some(Secret::from(bytes))
}

/// Counts what is written to it.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_its_json() {
        let body = serde_json::json!({"token": "canary", "list": [1, 2, 3]});
        assert_eq!(to_json(&body).unwrap().expose(), serde_json::to_vec(&body).unwrap());
    }
}
