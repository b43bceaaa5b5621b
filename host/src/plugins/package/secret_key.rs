//! Signs manifests: minisign's key and signature files, by its specification at <https://jedisct1.github.io/minisign/>.
//!
//! Only the forms are ours; Ed25519 is ring's, BLAKE2b is blake2b_simd's. Secret keys are kept without a password, readable by
//! their owner alone, as for `minisign -W`. One with a password is for minisign itself: `minisign -Sm plugin.toml` makes the
//! same signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2b_simd::Params;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Ed25519 of the message itself: the algorithm of keys.
const ED25519: &[u8; 2] = b"Ed";
/// Ed25519 of the message's BLAKE2b: the algorithm of signatures.
const PREHASHED: &[u8; 2] = b"ED";
const BLAKE2B: &[u8; 2] = b"B2";
const NO_PASSWORD: &[u8; 2] = &[0; 2];
const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";
/// Of the secret key's line: algorithms, the password's parameters, key id, seed and public key, checksum.
const SECRET_BYTES: usize = 6 + 48 + ID_BYTES + 64 + 32;
const ID_BYTES: usize = 8;
const SEED_BYTES: usize = 32;

/// A key that manifests are signed with.
pub struct SecretKey {
    id: [u8; ID_BYTES],
    seed: [u8; SEED_BYTES],
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

/// A secret key that cannot be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// It is not a file with a secret key.
    #[error("this is no minisign secret key")]
    Malformed,
    /// It has a password.
    #[error(
        "the secret key has a password; sign with `minisign -Sm plugin.toml`, or use a key made with `plugin keygen` or `minisign -GW`"
    )]
    Password,
    /// Its checksum is wrong.
    #[error("the secret key is damaged: its checksum is wrong")]
    Checksum,
}

impl SecretKey {
    /// A new key.
    pub fn generate() -> Result<Self, SecretKeyError> {
        let (mut id, mut seed) = ([0; ID_BYTES], [0; SEED_BYTES]);
        let random = SystemRandom::new();
        random.fill(&mut id).and_then(|()| random.fill(&mut seed)).map_err(|_| SecretKeyError::Random)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SecretKeyError::Random)?;
        Ok(Self { id, seed, pair })
    }

    /// From the text of a secret key's file.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let line = text.lines().nth(1).ok_or(SecretKeyError::Malformed)?;
        let bytes = STANDARD.decode(line.trim()).map_err(|_| SecretKeyError::Malformed)?;
        let bytes: [u8; SECRET_BYTES] = bytes.try_into().map_err(|_| SecretKeyError::Malformed)?;
        let mut rest = bytes.as_slice();
        let mut take = |count: usize| {
            let (part, after) = rest.split_at_checked(count).unwrap_or((&[], &[]));
            rest = after;
            part
        };
        let (algorithm, password, checksum_algorithm) = (take(2), take(2), take(2));
        if algorithm != ED25519 || checksum_algorithm != BLAKE2B {
            return Err(SecretKeyError::Malformed);
        }
        if password != NO_PASSWORD {
            return Err(SecretKeyError::Password);
        }
        take(48);
        let (id, seed, public, checksum) = (take(ID_BYTES), take(SEED_BYTES), take(32), take(32));
        if checksum_of(id, seed, public) != checksum {
            return Err(SecretKeyError::Checksum);
        }
        let pair =
            Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| SecretKeyError::Malformed)?;
        let malformed = |_| SecretKeyError::Malformed;
        Ok(Self { id: id.try_into().map_err(malformed)?, seed: seed.try_into().map_err(malformed)?, pair })
    }

    /// The key's id, as minisign prints it.
    pub fn id(&self) -> String {
        format!("{:016X}", u64::from_le_bytes(self.id))
    }

    /// The text of the secret key's file. It is the secret itself.
    pub fn secret_text(&self) -> String {
        let public = self.pair.public_key().as_ref();
        let checksum = checksum_of(&self.id, &self.seed, public);
        let parts: [&[u8]; 8] =
            [ED25519, NO_PASSWORD, BLAKE2B, &[0; 48], &self.id, &self.seed, public, &checksum];
        format!("{UNTRUSTED}minisign secret key {}\n{}\n", self.id(), STANDARD.encode(parts.concat()))
    }

    /// The public key's line: what goes into `plugins.trusted_keys`.
    pub fn public_line(&self) -> String {
        let parts: [&[u8]; 3] = [ED25519, &self.id, self.pair.public_key().as_ref()];
        STANDARD.encode(parts.concat())
    }

    /// The text of the public key's file.
    pub fn public_text(&self) -> String {
        format!("{UNTRUSTED}minisign public key {}\n{}\n", self.id(), self.public_line())
    }

    /// The text of the signature's file. The trusted comment is signed as well; it must be one line.
    pub fn sign(&self, message: &[u8], trusted_comment: &str) -> String {
        let comment = trusted_comment.replace(['\n', '\r'], " ");
        let hash = Params::new().hash_length(64).hash(message);
        let signature = self.pair.sign(hash.as_bytes());
        let signature = signature.as_ref();
        let global = self.pair.sign(&[signature, comment.as_bytes()].concat());
        let parts: [&[u8]; 3] = [PREHASHED, &self.id, signature];
        format!(
            "{UNTRUSTED}signature of a Bridge Telemetry plugin\n{}\n{TRUSTED}{comment}\n{}\n",
            STANDARD.encode(parts.concat()),
            STANDARD.encode(global.as_ref())
        )
    }
}

fn checksum_of(id: &[u8], seed: &[u8], public: &[u8]) -> [u8; 32] {
    let mut state = Params::new().hash_length(32).to_state();
    for part in [ED25519, id, seed, public] {
        state.update(part);
    }
    let mut checksum = [0; 32];
    checksum.copy_from_slice(state.finalize().as_bytes());
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrustedKey;
    use minisign_verify::Signature;

    #[test]
    fn what_is_signed_is_verified_by_another_implementation() {
        let key = SecretKey::generate().unwrap();
        let trusted = TrustedKey::parse(&key.public_line()).unwrap();
        assert_eq!(trusted.id(), key.id());
        let text = key.sign(b"message", "about\nit");
        let signature = Signature::decode(&text).unwrap();
        assert_eq!(signature.trusted_comment(), "about it");
        assert!(trusted.signed(b"message", &signature));
        assert!(!trusted.signed(b"another", &signature));
        let forged = Signature::decode(&text.replace("about it", "about me")).unwrap();
        assert!(!trusted.signed(b"message", &forged), "the comment is signed, too");
        let other = TrustedKey::parse(&SecretKey::generate().unwrap().public_line()).unwrap();
        assert!(!other.signed(b"message", &signature));
    }

    #[test]
    fn a_key_comes_back_from_its_file() {
        let key = SecretKey::generate().unwrap();
        let again = SecretKey::parse(&key.secret_text()).unwrap();
        assert_eq!((again.public_line(), again.id()), (key.public_line(), key.id()));
        assert!(!format!("{key:?}").contains(&STANDARD.encode(key.seed)));
        assert_eq!(SecretKey::parse("").unwrap_err(), SecretKeyError::Malformed);
        assert_eq!(SecretKey::parse(&key.public_text()).unwrap_err(), SecretKeyError::Malformed);
        let line = key.secret_text().lines().nth(1).unwrap().to_owned();
        let mut bytes = STANDARD.decode(&line).unwrap();
        bytes[70] ^= 1;
        let damaged = format!("x\n{}\n", STANDARD.encode(&bytes));
        assert_eq!(SecretKey::parse(&damaged).unwrap_err(), SecretKeyError::Checksum);
    }

    /// Made with the reference library (crate minisign 0.10): a key without and one with a password, and a signature.
    #[test]
    fn files_of_the_reference_implementation_are_read() {
        let plain = include_str!("fixtures/minisign.key");
        let key = SecretKey::parse(plain).unwrap();
        let public = include_str!("fixtures/minisign.pub");
        assert_eq!(key.public_line(), public.lines().nth(1).unwrap());
        let signature = Signature::decode(include_str!("fixtures/message.minisig")).unwrap();
        let trusted = TrustedKey::parse(&key.public_line()).unwrap();
        assert!(trusted.signed(b"a message\n", &signature));
        let secret = include_str!("fixtures/minisign-password.key");
        assert_eq!(SecretKey::parse(secret).unwrap_err(), SecretKeyError::Password);
    }
}
