//! The Merkle tree over the leaves of all entries, by RFC 6962, section 2.1.
//!
//! A *complete subtree* covers 2ⁿ leaves, and begins at a multiple of 2ⁿ. Its hash never changes. The subtrees that
//! end with the same entry are stored together, the smallest first. So a [`Place`] is an entry and a level.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// Where the hash of a complete subtree is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the last entry that the subtree covers, counted from 1.
    pub(super) end: u64,
    /// The subtree covers two to the power of this number of entries.
    pub(super) level: u32,
}

/// A range of leaves: from the first index, counted from 0, up to the second index, which is excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaves(pub(super) u64, pub(super) u64);

/// The hash of a node with two children.
fn node(left: Digest, right: Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left.as_bytes());
    hash.update(right.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

impl Leaves {
    fn count(self) -> u64 {
        self.1.saturating_sub(self.0)
    }

    /// The place, if this is one complete subtree.
    fn place(self) -> Option<Place> {
        let count = self.count();
        let is_complete = count.is_power_of_two() && self.0.is_multiple_of(count);
        is_complete.then(|| Place { end: self.1, level: count.trailing_zeros() })
    }

    /// Splits a range of two leaves or more. The size of the left side is the largest power of two that is less than
    /// the whole.
    fn split(self) -> (Self, Self) {
        let left = 1 << (self.count() - 1).ilog2();
        let middle = self.0 + left;
        (Self(self.0, middle), Self(middle, self.1))
    }

    /// Adds the places that [`hash`](Self::hash) needs.
    pub(super) fn places(self, into: &mut Vec<Place>) {
        if self.count() == 0 {
            return;
        }
        if let Some(place) = self.place() {
            into.push(place);
        } else {
            let (left, right) = self.split();
            left.places(into);
            right.places(into);
        }
    }

    /// The hash over these leaves. `None` if a place has no hash.
    pub(super) fn hash(self, get: &impl Fn(Place) -> Option<Digest>) -> Option<Digest> {
        if self.count() == 0 {
            return Some(Digest::of_bytes(&[]));
        }
        if let Some(place) = self.place() {
            return get(place);
        }
        let (left, right) = self.split();
        Some(node(left.hash(get)?, right.hash(get)?))
    }
}

/// The ranges of leaves whose hashes prove that a leaf is in a tree of this size.
pub(super) fn inclusion(leaf: u64, size: u64) -> Vec<Leaves> {
    let (mut within, mut path) = (Leaves(0, size), Vec::new());
    while within.count() > 1 {
        let (left, right) = within.split();
        let (inside, beside) = if leaf < right.0 { (left, right) } else { (right, left) };
        path.push(beside);
        within = inside;
    }
    path.reverse();
    path
}

/// The ranges of leaves whose hashes prove that a smaller tree is the beginning of a larger tree.
pub(super) fn consistency(smaller: u64, larger: u64) -> Vec<Leaves> {
    let (mut within, mut path, mut is_whole) = (Leaves(0, larger), Vec::new(), true);
    if smaller == 0 || smaller >= larger {
        return path;
    }
    while within.1 != smaller {
        let (left, right) = within.split();
        if smaller <= right.0 {
            path.push(right);
            within = left;
        } else {
            path.push(left);
            (within, is_whole) = (right, false);
        }
    }
    if !is_whole {
        path.push(within);
    }
    path.reverse();
    path
}

/// Whether a path proves that a leaf is in a tree: RFC 9162, section 2.1.3.2.
pub(super) fn is_included(leaf: Digest, index: u64, size: u64, path: &[Digest], root: Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(*beside, hash);
            let shift = at.trailing_zeros().min(u64::BITS - 1);
            (at, last) = (at >> shift, last >> shift);
        } else {
            hash = node(hash, *beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == root
}

/// Whether a path proves that a smaller tree is the beginning of a larger tree: RFC 9162, section 2.1.4.2.
pub(super) fn is_consistent(smaller: (u64, Digest), larger: (u64, Digest), path: &[Digest]) -> bool {
    let ((first, first_root), (second, second_root)) = (smaller, larger);
    if first == second {
        return path.is_empty() && first_root == second_root;
    }
    if first == 0 || first > second {
        return first == 0 && path.is_empty();
    }
    let known = first.is_power_of_two().then_some(first_root);
    let mut path = known.into_iter().chain(path.iter().copied());
    let Some(start) = path.next() else { return false };
    let shift = (first - 1).trailing_ones();
    let (mut at, mut last) = ((first - 1) >> shift, (second - 1) >> shift);
    let (mut old, mut new) = (start, start);
    for beside in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            (old, new) = (node(beside, old), node(beside, new));
            let shift = at.trailing_zeros().min(u64::BITS - 1);
            (at, last) = (at >> shift, last >> shift);
        } else {
            new = node(new, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old == first_root && new == second_root
}

/// The complete subtrees at the right edge of a tree, the largest first. They are enough to add leaves to the tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Peaks {
    size: u64,
    hashes: Vec<Digest>,
}

impl Peaks {
    /// The peaks of a tree of this size. `None` if a place has no hash.
    pub(super) fn of(size: u64, get: impl Fn(Place) -> Option<Digest>) -> Option<Self> {
        let hashes = Self::places(size).into_iter().map(get).collect::<Option<_>>()?;
        Some(Self { size, hashes })
    }

    /// Where the peaks of a tree are stored.
    pub(super) fn places(size: u64) -> Vec<Place> {
        let mut places = Vec::new();
        Leaves(0, size).places(&mut places);
        places
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. Returns the hashes of the complete subtrees that end with this leaf. The first of them is the
    /// leaf itself.
    pub(super) fn push(&mut self, leaf: Digest) -> Vec<Digest> {
        self.size += 1;
        let (mut hash, mut complete) = (leaf, vec![leaf]);
        for _ in 0..self.size.trailing_zeros() {
            let Some(left) = self.hashes.pop() else { break };
            hash = node(left, hash);
            complete.push(hash);
        }
        self.hashes.push(hash);
        complete
    }

    /// The hash of the whole tree.
    pub(super) fn root(&self) -> Digest {
        let mut peaks = self.hashes.iter().rev();
        let Some(last) = peaks.next() else { return Digest::of_bytes(&[]) };
        peaks.fold(*last, |right, left| node(*left, right))
    }
}

/// Hashes as the bytes that a ledger stores.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn to_bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Hashes from the bytes that a ledger stores. `None` if the length does not fit.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn from_bytes(bytes: &[u8]) -> Option<Vec<Digest>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.iter().copied().map(Digest::from_bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    fn leaf(bytes: &[u8]) -> Digest {
        Digest::of_bytes(&[&[0], bytes].concat())
    }

    /// The number as an index.
    fn at(number: u64) -> usize {
        usize::try_from(number).unwrap()
    }

    /// The definition of RFC 6962, section 2.1, translated literally.
    fn defined(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of_bytes(&[]),
            [one] => *one,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(defined(&leaves[..k]), defined(&leaves[k..]))
            }
        }
    }

    struct Grown {
        leaves: Vec<Digest>,
        kept: Vec<Vec<Digest>>,
        roots: Vec<Digest>,
    }

    impl Grown {
        fn to(size: u64) -> Self {
            let (mut peaks, mut grown) =
                (Peaks::default(), Self { leaves: Vec::new(), kept: Vec::new(), roots: Vec::new() });
            grown.roots.push(peaks.root());
            for n in 0..size {
                let leaf = leaf(&n.to_be_bytes());
                grown.kept.push(peaks.push(leaf));
                grown.leaves.push(leaf);
                grown.roots.push(peaks.root());
            }
            grown
        }

        fn get(&self, place: Place) -> Option<Digest> {
            self.kept.get(at(place.end) - 1)?.get(place.level as usize).copied()
        }

        fn hashes(&self, of: Vec<Leaves>) -> Vec<Digest> {
            of.into_iter().map(|leaves| leaves.hash(&|place| self.get(place)).unwrap()).collect()
        }
    }

    #[test]
    fn a_tree_that_grows_has_the_root_of_the_definition() {
        let grown = Grown::to(130);
        for size in 0..=130 {
            assert_eq!(grown.roots[size], defined(&grown.leaves[..size]), "{size}");
            let again = Peaks::of(size as u64, |place| grown.get(place)).unwrap();
            assert_eq!(again.root(), grown.roots[size], "{size}");
        }
    }

    /// The roots are from the reference implementation of Certificate Transparency, for the same leaves.
    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        let leaves = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let mut peaks = Peaks::default();
        let roots: Vec<String> = leaves
            .iter()
            .map(|digits| {
                peaks.push(leaf(&hex::decode(digits).unwrap()));
                peaks.root().to_string()
            })
            .collect();
        assert_eq!(roots[0], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(roots[7], "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    }

    #[test]
    fn every_leaf_is_proved_and_no_other_leaf_place_or_root_is() {
        let grown = Grown::to(33);
        for size in 1..=33_u64 {
            let root = grown.roots[at(size)];
            for index in 0..size {
                let path = grown.hashes(inclusion(index, size));
                let leaf = grown.leaves[at(index)];
                assert!(is_included(leaf, index, size, &path, root), "{index} of {size}");
                let other = leaf_of_nothing();
                assert!(!is_included(other, index, size, &path, root), "another leaf: {index} of {size}");
                assert!(!is_included(leaf, index, size, &path, other), "another root: {index} of {size}");
                assert!(!is_included(leaf, size, size, &path, root), "beyond the end: {index} of {size}");
                for n in 0..path.len() {
                    let mut changed = path.clone();
                    changed[n] = other;
                    assert!(
                        !is_included(leaf, index, size, &changed, root),
                        "{n} of the path, {index} of {size}"
                    );
                    changed.remove(n);
                    assert!(
                        !is_included(leaf, index, size, &changed, root),
                        "without {n}, {index} of {size}"
                    );
                }
                for wrong in (0..size).filter(|wrong| *wrong != index) {
                    assert!(!is_included(leaf, wrong, size, &path, root), "{index} as {wrong} of {size}");
                }
            }
        }
    }

    fn leaf_of_nothing() -> Digest {
        leaf(b"nothing")
    }

    #[test]
    fn a_tree_is_the_beginning_of_every_later_one_and_of_no_other() {
        let grown = Grown::to(33);
        let other = leaf_of_nothing();
        for larger in 1..=33_u64 {
            let new = (larger, grown.roots[at(larger)]);
            for smaller in 0..=larger {
                let old = (smaller, grown.roots[at(smaller)]);
                let path = grown.hashes(consistency(smaller, larger));
                assert!(is_consistent(old, new, &path), "{smaller} of {larger}");
                if smaller > 0 {
                    assert!(!is_consistent((smaller, other), new, &path), "{smaller} of {larger}");
                    assert!(!is_consistent(old, (larger, other), &path), "{smaller} of {larger}");
                }
                for n in 0..path.len() {
                    let mut changed = path.clone();
                    changed[n] = other;
                    assert!(!is_consistent(old, new, &changed), "{n} of the path, {smaller} of {larger}");
                }
            }
        }
    }
}
