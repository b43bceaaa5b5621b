use proptest::prelude::*;

use super::*;

fn found(expression: &str, text: &str) -> (Vec<Range<usize>>, Searched) {
    let mut places = Vec::new();
    let searched = find_all(&mut Pattern::new(expression).unwrap(), text, &mut places);
    (places, searched)
}

fn find_all(pattern: &mut Pattern, text: &str, places: &mut Vec<Range<usize>>) -> Searched {
    pattern.find(text, |place| {
        places.push(place);
        ControlFlow::Continue(())
    })
}

fn expected(expression: &str, text: &str) -> Vec<Range<usize>> {
    ::regex::Regex::new(expression).unwrap().find_iter(text).map(|found| found.range()).collect()
}

/// Expressions of all sorts: literals, classes, empty matches, anchors, word boundaries, case, lines, greed.
const EXPRESSIONS: [&str; 14] = [
    "a",
    "ab|a",
    "a*",
    "",
    r"\d{2,4}-\d+",
    r"\bab\b",
    r"(?-u:\b)a",
    "^a|b$",
    "(?m)^b",
    "(?i)A+?b",
    "[^a]b",
    r"\w+@\w+",
    "(?s).*b",
    "é|ü+",
];

proptest! {
    #[test]
    fn finds_what_the_library_finds(
        index in 0..EXPRESSIONS.len(),
        texts in prop::collection::vec("[ab@ \\-éü17\n]{0,24}", 1..6),
    ) {
        let expression = EXPRESSIONS[index];
        let mut pattern = Pattern::new(expression).unwrap();
        for text in texts {
            let mut places = Vec::new();
            let searched = find_all(&mut pattern, &text, &mut places);
            prop_assert_eq!(searched, Searched::Whole);
            prop_assert_eq!(&places, &expected(expression, &text));
            prop_assert_eq!(pattern.is_match(&text), Some(!places.is_empty()));
        }
    }
}

#[test]
fn wrong_expressions_and_those_over_a_limit_are_told() {
    let fault = |expression: &str| Pattern::new(expression).err().unwrap();
    assert!(fault("a(b").contains("unclosed group"), "{}", fault("a(b"));
    assert!(fault("(?=a)").contains("look-around"));
    assert!(fault(&"a".repeat(5_000)).contains("longer than 4096 bytes"));
    assert!(fault(r"((\w{99}){99}){99}").contains("when it is compiled"));
}

#[test]
fn usual_expressions_are_far_below_the_limits() {
    for expression in [r"[\w.+-]+@[\w-]+\.[\w.-]+", r"\b(?:\d{4}[ -]?){3}\d{4}\b", "error|critical"] {
        let pattern = Pattern::new(expression).unwrap();
        assert!(pattern.memory() < limits::MAX_PATTERN_BYTES, "{expression}: {}", pattern.memory());
    }
}

/// A text of letters a and b without order, the same each time.
fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { 'a' } else { 'b' }
    };
    (0..bytes).map(|_| letter()).collect()
}

/// Each letter leads to a state that was not met before.
const COSTLY: &str = "[ab]*a[ab]{400}c";

#[test]
fn a_costly_search_is_made_while_it_is_small_and_given_up_when_it_is_not() {
    let mut pattern = Pattern::new(COSTLY).unwrap();
    let small = noise(limits::MAX_PATTERN_STEPS / pattern.steps / 2);
    assert_eq!(pattern.is_match(&small), Some(false));
    assert_eq!(pattern.is_match(&format!("{small}a{}c", "b".repeat(400))), Some(true));
    let large = noise(1 << 20);
    assert_eq!(pattern.is_match(&large), None);
    assert_eq!(find_all(&mut pattern, &large, &mut Vec::new()), Searched::GivenUp);
    // It is as good as new for the next text.
    assert_eq!(pattern.is_match("ab"), Some(false));
}

#[test]
fn what_was_searched_before_changes_nothing() {
    // No short text is given up, and a long one only if its own states are too many.
    let mut pattern = Pattern::new("[ab]*a[ab]{1500}c").unwrap();
    let long = "b".repeat(1 << 20);
    for length in (1_000..2_200).step_by(80) {
        assert_eq!(pattern.is_match(&noise(length)), Some(false));
        assert_eq!(pattern.is_match(&long), Some(false), "after {length}");
        assert_eq!(find_all(&mut pattern, &long, &mut Vec::new()), Searched::Whole, "after {length}");
    }
    let noisy = noise(1 << 20);
    for _ in 0..2 {
        assert_eq!(pattern.is_match(&noisy), None);
    }
}

#[test]
fn what_is_found_state_by_state_is_what_the_library_finds() {
    // More states than there is room for, again and again.
    let letters = noise(60_000);
    let signs = letters.chars().enumerate().map(|(at, sign)| if at % 23 == 22 { 'c' } else { sign });
    let text: String = signs.collect();
    let expression = "a[ab]{16}c|b+c";
    assert_eq!(found(expression, &text), (expected(expression, &text), Searched::Whole));
}

#[test]
fn a_search_ends_when_it_is_told_to() {
    let mut places = 0;
    let searched = Pattern::new(".*[^a]|a").unwrap().find(&"a".repeat(1 << 20), |_| {
        places += 1;
        if places < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!((searched, places), (Searched::Stopped, 3));
}

#[test]
fn beyond_ascii_word_boundaries_are_exact() {
    let text = "é ab éab abé";
    assert_eq!(found(r"\bab\b", text), (expected(r"\bab\b", text), Searched::Whole));
    assert_eq!(found(r"\bab\b", text).0.len(), 1);
    // In long texts, too: of a word's letters one state is met at a time.
    let (words, long) = (r"\b\p{L}+\b", "é straße ".repeat(8_000));
    assert_eq!(found(words, &long), (expected(words, &long), Searched::Whole));
    assert_eq!(Pattern::new(words).unwrap().is_match(&long), Some(true));
}

#[test]
fn what_makes_the_automaton_meet_everything_at_once_is_bounded() {
    // Ways without end out of one state: the automaton's cache has no room for them that it knows of.
    let alternates = format!("(?:x{}){{20}}", "|".repeat(2_000));
    assert!(Pattern::new(&alternates).err().unwrap().contains("ways between them"));
    for count in [10, 100, 400, 1_500] {
        let Ok(mut pattern) = Pattern::new(&format!("(?:x{}){{10}}", "|".repeat(count))) else { continue };
        assert_eq!(pattern.is_match("a"), Some(true));
        assert!(!pattern.is_broken, "{count}");
    }
    let literals: Vec<String> = (0..250).map(|number| format!("{number:03}")).collect();
    let pattern = Pattern::new(&format!("(?:{}){}", literals.join("|"), "z".repeat(97))).unwrap();
    assert!(pattern.memory() < 2 << 20);
    // Each of them counts at each byte.
    let empty = format!("(?:(?:a{})a){{10}}\\bq", "|".repeat(500));
    let mut pattern = Pattern::new(&empty).unwrap();
    assert_eq!(pattern.is_match(&format!("é{}", "a".repeat(400_000))), None);
}
