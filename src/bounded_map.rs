//! A map that never holds more than a fixed number of entries.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// At most `LIMIT` entries. A new key in a full map removes all other entries first: whatever was remembered must be cheap to find out again.
/// Compared with removing the oldest entry this needs no order of use, and its cost is bounded as well.
#[derive(Debug)]
pub(crate) struct BoundedMap<K, V, const LIMIT: usize>(HashMap<K, V>);

/// A set with the same rule.
pub(crate) type BoundedSet<K, const LIMIT: usize> = BoundedMap<K, (), LIMIT>;

impl<K, V, const LIMIT: usize> Default for BoundedMap<K, V, LIMIT> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V, const LIMIT: usize> BoundedMap<K, V, LIMIT> {
    /// The value of `key`.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The value of `key`, to change it.
    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// Whether `key` has a value.
    pub(crate) fn contains<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Whether a new key would remove all others.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= LIMIT
    }

    /// Sets the value of `key`. Returns the previous value.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.make_room(&key);
        self.0.insert(key, value)
    }

    /// Removes `key`. Returns its value.
    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    fn make_room(&mut self, key: &K) {
        if self.is_full() && !self.0.contains_key(key) {
            self.0.clear();
        }
    }
}

impl<K: Eq + Hash, V: Default, const LIMIT: usize> BoundedMap<K, V, LIMIT> {
    /// The value of `key`, which is the default value for a new key.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V {
        self.make_room(&key);
        self.0.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_in_a_full_map_removes_the_others_and_a_known_key_does_not() {
        let mut map = BoundedMap::<_, _, 2>::default();
        assert_eq!((map.insert("a", 1), map.insert("b", 2), map.is_full()), (None, None, true));
        assert_eq!((map.insert("b", 3), map.get("a")), (Some(2), Some(&1)));
        assert_eq!((map.insert("c", 4), map.get("a"), map.get("c")), (None, None, Some(&4)));
    }

    #[test]
    fn a_default_value_takes_a_place_too() {
        let mut map = BoundedMap::<_, u32, 2>::default();
        ["a", "b", "a", "c"].into_iter().for_each(|key| *map.get_or_default(key) += 1);
        assert_eq!((map.get("a"), map.get("b"), map.contains("c")), (None, None, true));
        assert_eq!((map.remove("c"), map.contains("c")), (Some(1), false));
    }
}
