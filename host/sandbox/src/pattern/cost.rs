//! What an automaton costs: to find its states, and to follow them.

use regex_automata::nfa::thompson::{NFA, State};

/// All states, and all ways out of them: what finding one state of a lazy automaton costs at the worst.
pub(super) fn weight(nfa: &NFA) -> usize {
    nfa.states().iter().map(|state| 1 + ways(state)).sum()
}

/// What one byte of a text costs at the worst where the states are followed. All of them may be met at once but those within a
/// character: each of these was reached from another one by its first byte, and by the bytes since then on one way alone.
pub(crate) fn steps(nfa: &NFA) -> usize {
    let (mut steps, mut beginnings, mut most) = (0_usize, 0_usize, 0_usize);
    for state in nfa.states() {
        let own = 1 + ways(state);
        if is_within_character(state) {
            most = most.max(own);
        } else {
            steps = steps.saturating_add(own);
            beginnings += usize::from(!state.is_epsilon());
        }
    }
    steps.saturating_add(beginnings.saturating_mul(most))
}

fn ways(state: &State) -> usize {
    match state {
        State::Union { alternates } => alternates.len(),
        State::Sparse(sparse) => sparse.transitions.len(),
        State::Dense(_) => 256,
        State::BinaryUnion { .. } => 2,
        _ => 1,
    }
}

/// Whether a state waits for a byte that no character begins with.
fn is_within_character(state: &State) -> bool {
    let is_later = |start: u8, end: u8| start >= 0x80 && end <= 0xBF;
    match state {
        State::ByteRange { trans } => is_later(trans.start, trans.end),
        State::Sparse(sparse) => sparse.transitions.iter().all(|trans| is_later(trans.start, trans.end)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(expression: &str) -> (usize, usize) {
        let nfa = NFA::new(expression).unwrap();
        (weight(&nfa), steps(&nfa))
    }

    #[test]
    fn of_ascii_every_state_may_be_met_at_once() {
        for expression in ["abc", "(?-u:[ab]*a[ab]{40}c)", "[a-z]+|x{3,9}"] {
            let (weight, steps) = costs(expression);
            assert_eq!(weight, steps, "{expression}");
        }
    }

    #[test]
    fn of_a_class_of_characters_one_state_is_met() {
        let (weight, steps) = costs(r"\b\w+\b");
        assert!(10 * steps < 9 * weight, "{steps} of {weight}");
        let (one, many) = (costs(r"\p{L}"), costs(r"\p{L}{64}"));
        assert!(many.1 < many.0 / 4, "{many:?}");
        assert!(many.1 < 70 * one.1, "{many:?}, {one:?}");
    }
}
