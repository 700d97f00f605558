//! Layer 0: keys that are no secret any more, because their makers published them: of emulators, of documentation, of
//! examples.
//!
//! Hiding one protects nothing. They do not stand here themselves, or every scanner would find them in this repository:
//! of each there is the CRC-32 and the length, in bytes, without `0x` before it. That nobody is deceived by a collision
//! is no aim: who wants to hide a secret from its own guard need only encrypt it.

/// CRC-32, length, and where it was published. Sorted.
#[rustfmt::skip]
const PUBLISHED: &[(u32, usize, &str)] = &[
    (0x07e175bd, 40, "reCAPTCHA for tests: https://developers.google.com/recaptcha/docs/faq"),
    (0x08394327, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x087c39ea, 64, "LibreChat's example: https://github.com/danny-avila/LibreChat/blob/main/.env.example"),
    (0x1f358cbe, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x202f468f, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x2831afe3, 44, "Telegram's documentation: https://core.telegram.org/bots/features"),
    (0x28503139, 41, "Telegram's documentation: https://core.telegram.org/bots/api"),
    (0x3627aa84, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x396d8142, 32, "Stripe's documentation: https://docs.stripe.com/keys"),
    (0x3abd9b53, 64, "FastAPI's tutorial: https://fastapi.tiangolo.com/tutorial/security/oauth2-jwt/"),
    (0x3b5263d4, 64, "Supabase's example: https://supabase.com/docs/guides/self-hosting/docker"),
    (0x3c5d7fda, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x51c43f49, 64, "LibreChat's example: https://github.com/danny-avila/LibreChat/blob/main/.env.example"),
    (0x5aa84947, 64, "LibreChat's example: https://github.com/danny-avila/LibreChat/blob/main/.env.example"),
    (0x5c298136, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x5f403b6a, 64, "Elastic's example: https://www.elastic.co/blog/getting-started-with-the-elastic-stack-and-docker-compose"),
    (0x6159ac90, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x65af39e5, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0x6a4f7820, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x6b66e8a8, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x6b9463f8, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x70db3433, 36, "Dify's example: https://github.com/langgenius/dify/blob/main/docker/.env.example"),
    (0x70de103d, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0x726d0959, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0x738a2a61, 57, "MinIO's documentation: https://github.com/minio/minio/blob/master/docs/kms/README.md"),
    (0x776de070, 32, "Stripe's documentation: https://docs.stripe.com/keys"),
    (0x7a1ad89c, 56, "Dify's example: https://github.com/langgenius/dify/blob/main/docker/.env.example"),
    (0x7aa120d5, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0x7f230298, 32, "Typebot's example: https://github.com/baptisteArno/typebot.io/blob/main/.env.example"),
    (0x86e86f5c, 44, "MinIO's documentation: https://github.com/minio/minio/blob/master/docs/kms/README.md"),
    (0x87707360, 88, "Azure Cosmos DB's emulator: https://learn.microsoft.com/azure/cosmos-db/emulator"),
    (0x8a73dd69, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0x8c817383, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0x8e8f6ac5, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0x8fd63c0e, 64, "Supabase on a developer's machine, S3: https://supabase.com/docs/guides/self-hosting/docker"),
    (0x94bb94f9, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0xa59c44e9, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0xab4d2e47, 32, "Stripe's documentation: https://docs.stripe.com/keys"),
    (0xab5aa7e8, 32, "Algolia's demonstration, search only: https://www.algolia.com/doc/"),
    (0xae6a3671, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0xafe8ff3e, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0xb4cbd586, 88, "Azure Storage's emulator: https://learn.microsoft.com/azure/storage/common/storage-use-azurite"),
    (0xbc855a2d, 41, "Supabase on a developer's machine: https://supabase.com/docs/guides/local-development"),
    (0xbd0ca09b, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0xc0bc4b03, 56, "Dify's example: https://github.com/langgenius/dify/blob/main/docker/.env.example"),
    (0xc394b7bb, 32, "Cal.com's example: https://github.com/calcom/cal.com/blob/main/.env.example"),
    (0xc584c1f8, 64, "Hardhat's and Foundry's local chain: https://hardhat.org/hardhat-network/docs/overview"),
    (0xc9b82085, 67, "Hasura's documentation: https://hasura.io/docs/2.0/auth/authentication/jwt/"),
    (0xd40ab6d2, 44, "LibreChat's example: https://github.com/danny-avila/LibreChat/blob/main/.env.example"),
    (0xd4812472, 32, "Supabase on a developer's machine, S3: https://supabase.com/docs/guides/self-hosting/docker"),
    (0xed2860be, 48, "Dify's example: https://github.com/langgenius/dify/blob/main/docker/.env.example"),
    (0xfbc47221, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
    (0xffddd189, 39, "Google's documentation: https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml"),
];

/// Whether the value is one of them.
pub(crate) fn is_known_public(value: &str) -> bool {
    let value = value.strip_prefix("0x").unwrap_or(value);
    let place = PUBLISHED.binary_search_by_key(&crc32fast::hash(value.as_bytes()), |(checksum, ..)| *checksum);
    place.ok().and_then(|at| PUBLISHED.get(at)).is_some_and(|(_, length, _)| *length == value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_and_say_where_they_come_from() {
        assert!(PUBLISHED.is_sorted());
        for (_, length, source) in PUBLISHED {
            assert!(*length >= 24 && source.contains(": https://"), "{source}");
        }
    }

    /// In pieces, so that it is not taken for a leak.
    #[test]
    fn the_key_of_a_local_chain_is_one_and_its_neighbour_is_not() {
        let key = ["ac0974bec39a17e36ba4a6b4d238ff94", "4bacb478cbed5efcae784d7bf4f2ff80"].concat();
        assert!(is_known_public(&key) && is_known_public(&format!("0x{key}")));
        assert!(!is_known_public(&key.replace("ac09", "ac08")) && !is_known_public(""));
    }
}
