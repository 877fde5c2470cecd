//! A mutex that a panic does not poison.

use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

/// Like the standard mutex, but `lock` cannot fail: a panic ends one mount and must not end all later ones. Code that holds a guard
/// therefore leaves the value whole at each step.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(StdMutex<T>);

impl<T> Mutex<T> {
    /// A mutex that holds `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(StdMutex::new(value))
    }

    /// Waits for the lock, also after a thread has panicked while it held the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_panic_while_the_lock_is_held_does_not_block_the_next_holder() {
        let mutex = Arc::new(Mutex::new(1));
        let other = Arc::clone(&mutex);
        let ended = std::thread::spawn(move || {
            let _guard = other.lock();
            panic!("while the lock is held");
        });
        assert!(ended.join().is_err());
        assert_eq!(*mutex.lock(), 1);
    }
}
