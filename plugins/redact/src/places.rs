//! Places in texts that are to be masked, in order of the texts and from left to right. Invariant: none is empty, and none overlaps
//! another.

use bridge_telemetry_plugin::patterns::{Findings, Found, Pattern, Texts};
use bridge_telemetry_plugin::{PluginError, Result};

/// The end of a place that is all of its text, whatever the text's length.
pub(crate) const WHOLE: usize = usize::MAX;

/// The places of all patterns, each of which searches all texts at once.
pub(crate) fn of_all(patterns: &[Pattern], texts: &Texts) -> Result<Vec<Found>> {
    let mut places = Vec::new();
    if !texts.is_empty() {
        for pattern in patterns {
            places = union(places, search(&|texts| pattern.find(texts), texts, 0)?);
        }
    }
    Ok(places)
}

/// The places of one pattern in texts of which the first has this number. Where the host finds too many to hand them over, each half
/// of the texts is searched by itself; one text alone is then masked as a whole.
fn search(find: &dyn Fn(&Texts) -> Result<Findings>, texts: &Texts, first: usize) -> Result<Vec<Found>> {
    match find(texts) {
        Err(PluginError::Unsupported(_)) if texts.len() > 1 => {
            let middle = texts.len() / 2;
            let mut places = search(find, &part(texts, 0, middle)?, first)?;
            places.append(&mut search(find, &part(texts, middle, texts.len())?, first + middle)?);
            Ok(places)
        }
        Err(PluginError::Unsupported(_)) => Ok(vec![whole(first)]),
        findings => {
            let mut places = of(findings?);
            places.iter_mut().for_each(|place| place.text += first);
            Ok(places)
        }
    }
}

fn part(texts: &Texts, start: usize, end: usize) -> Result<Texts> {
    let mut part = Texts::new();
    (start..end).filter_map(|number| texts.get(number)).try_for_each(|text| part.push(text))?;
    Ok(part)
}

/// What was found, and all of each text that was not searched: no secret may slip through.
pub(crate) fn of(findings: Findings) -> Vec<Found> {
    union(findings.found, findings.given_up.into_iter().map(whole).collect())
}

const fn whole(text: usize) -> Found {
    Found { text, range: 0..WHOLE }
}

/// The places of both lists, of which each is in order: those that overlap are one, those that only touch stay two.
fn union(one: Vec<Found>, other: Vec<Found>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
    loop {
        let is_one = match (one.peek(), other.peek()) {
            (Some(one), Some(other)) => (one.text, one.range.start) <= (other.text, other.range.start),
            (one, _) => one.is_some(),
        };
        let next = if is_one { one.next() } else { other.next() };
        let Some(next) = next else { return all };
        match all.last_mut() {
            _ if next.range.is_empty() => {}
            Some(last) if last.text == next.text && next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
            }
            _ => all.push(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;

    fn places(all: &[(usize, Range<usize>)]) -> Vec<Found> {
        all.iter().map(|(text, range)| Found { text: *text, range: range.clone() }).collect()
    }

    #[test]
    fn what_overlaps_is_one_place_and_what_touches_is_two() {
        let check = |one: &[_], other: &[_], expected: &[_]| {
            assert_eq!(union(places(one), places(other)), places(expected));
            assert_eq!(union(places(other), places(one)), places(expected));
        };
        check(&[(0, 0..3)], &[(0, 2..5)], &[(0, 0..5)]);
        check(&[(0, 0..2), (0, 2..4)], &[(0, 1..3)], &[(0, 0..4)]);
        check(&[(0, 0..2)], &[(0, 2..4)], &[(0, 0..2), (0, 2..4)]);
        check(&[(0, 1..9)], &[(0, 2..3), (0, 4..5), (1, 4..5)], &[(0, 1..9), (1, 4..5)]);
        check(&[(0, 1..1), (2, 0..1)], &[(1, 0..0), (1, 3..4)], &[(1, 3..4), (2, 0..1)]);
        check(&[(3, 1..2), (3, 5..6), (4, 0..1)], &[(3, 0..WHOLE)], &[(3, 0..WHOLE), (4, 0..1)]);
    }

    #[test]
    fn too_many_places_are_found_in_parts() {
        let mut texts = Texts::new();
        ["a", "bbb", "cb", "", "b"].iter().try_for_each(|text| texts.push(text)).unwrap();
        let pattern = Pattern::new("b").unwrap();
        // A host that hands over two places at most.
        let find = |texts: &Texts| match pattern.find(texts)? {
            findings if findings.found.len() > 2 => Err(PluginError::unsupported("too many")),
            findings => Ok(findings),
        };
        let expected = places(&[(1, 0..WHOLE), (2, 1..2), (4, 0..1)]);
        assert_eq!(search(&find, &texts, 0), Ok(expected));
        let broken = |_: &Texts| -> Result<Findings> { Err(PluginError::other("broken")) };
        assert_eq!(search(&broken, &texts, 0), Err(PluginError::other("broken")));
    }
}
