//! Models and what is built on them.

use super::secret;
use crate::format::Alphabet::*;
use crate::format::Format;
use crate::format::Part::{Either, Run, Text};

#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    secret("openai-key", "https://platform.openai.com/docs/api-reference/authentication", &[Text("sk-"), Run(Alnum, 20, 20), Text("T3BlbkFJ"), Run(Alnum, 20, 20)]),
    secret("openai-key", "https://platform.openai.com/docs/api-reference/authentication", &[Either(&["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"]), Run(UrlSafe, 40, 220)]),
    secret("openai-key", "https://platform.openai.com/docs/api-reference/authentication", &[Text("sk-"), Run(Alnum, 48, 48)]),
    secret("openai-key", "https://platform.openai.com/docs/api-reference/authentication", &[Text("sess-"), Run(Alnum, 40, 40)]),
    secret("anthropic-key", "https://docs.claude.com/en/api/overview", &[Either(&["sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-", "sk-ant-ort01-", "sk-ant-sid01-", "sk-ant-"]), Run(UrlSafe, 80, 120)]),
    secret("openrouter-key", "https://openrouter.ai/docs/api-reference/authentication", &[Text("sk-or-v1-"), Run(Hex, 64, 64)]),
    secret("deepseek-key", "https://api-docs.deepseek.com/", &[Text("sk-"), Run(Hex, 32, 32)]),
    secret("elevenlabs-key", "https://elevenlabs.io/docs/api-reference/authentication", &[Text("sk_"), Run(Hex, 48, 48)]),
    secret("langfuse-key", "https://langfuse.com/faq/all/where-are-langfuse-api-keys", &[Text("sk-lf-"), Run(UuidLike, 36, 36)]),
    secret("langsmith-key", "https://docs.langchain.com/langsmith/create-account-api-key", &[Either(&["lsv2_pt_", "lsv2_sk_"]), Run(Hex, 32, 32), Text("_"), Run(Hex, 10, 10)]),
    secret("langsmith-key", "https://docs.langchain.com/langsmith/create-account-api-key", &[Text("ls__"), Run(Hex, 32, 32)]),
    secret("huggingface-token", "https://huggingface.co/docs/hub/security-tokens", &[Either(&["hf_", "api_org_"]), Run(Alnum, 34, 38)]),
    secret("groq-key", "https://console.groq.com/docs/quickstart", &[Text("gsk_"), Run(Alnum, 52, 52)]),
    secret("xai-key", "https://docs.x.ai/docs/overview", &[Text("xai-"), Run(UrlSafe, 70, 120)]),
    secret("perplexity-key", "https://docs.perplexity.ai/guides/api-key-management", &[Text("pplx-"), Run(Alnum, 40, 56)]),
    // Thirty-seven characters: https://github.com/trufflesecurity/trufflehog/blob/main/pkg/detectors/replicate/replicate.go
    secret("replicate-token", "https://replicate.com/docs/topics/security/api-tokens", &[Text("r8_"), Run(Alnum, 37, 37)]),
    secret("fireworks-key", "https://docs.fireworks.ai/getting-started/introduction", &[Text("fw_"), Run(Alnum, 22, 40)]),
    secret("nvidia-key", "https://docs.nvidia.com/ngc/", &[Text("nvapi-"), Run(UrlSafe, 60, 70)]),
    secret("cerebras-key", "https://inference-docs.cerebras.ai/quickstart", &[Text("csk-"), Run(LowerAlnum, 40, 56)]),
    secret("voyage-key", "https://docs.voyageai.com/docs/api-key-and-installation", &[Text("pa-"), Run(UrlSafe, 40, 50)]),
    secret("jina-key", "https://jina.ai/embeddings/", &[Text("jina_"), Run(UrlSafe, 50, 70)]),
    secret("tavily-key", "https://docs.tavily.com/documentation/api-reference/introduction", &[Text("tvly-"), Run(UrlSafe, 30, 64)]),
    secret("firecrawl-key", "https://docs.firecrawl.dev/api-reference/introduction", &[Text("fc-"), Run(Hex, 32, 32)]),
    secret("llamacloud-key", "https://docs.cloud.llamaindex.ai/", &[Text("llx-"), Run(Alnum, 48, 56)]),
    secret("together-key", "https://docs.together.ai/docs/api-keys-authentication", &[Text("tgp_v1_"), Run(UrlSafe, 40, 60)]),
    secret("stability-key", "https://platform.stability.ai/docs/getting-started/authentication", &[Text("sk-"), Run(Alnum, 44, 52)]),
    secret("anyscale-key", "https://docs.anyscale.com/", &[Text("esecret_"), Run(LowerAlnum, 24, 40)]),
    secret("wandb-key", "https://docs.wandb.ai/", &[Text("wandb_v1_"), Run(UrlSafe, 40, 120)]),
    secret("helicone-key", "https://docs.helicone.ai/helicone-headers/helicone-auth", &[Text("sk-helicone-"), Run(UrlSafe, 20, 50)]),
    secret("modal-token", "https://modal.com/docs/reference/modal.config", &[Text("as-"), Run(Alnum, 22, 22)]),
    secret("runpod-key", "https://docs.runpod.io/get-started/api-keys", &[Text("rpa_"), Run(UpperAlnum, 40, 40), Run(Alnum, 6, 6)]),
    secret("e2b-key", "https://e2b.dev/docs/api-key", &[Text("e2b_"), Run(Hex, 40, 40)]),
    secret("browserbase-key", "https://docs.browserbase.com/", &[Either(&["bb_live_", "bb_test_"]), Run(UrlSafe, 24, 40)]),
    secret("apify-token", "https://docs.apify.com/platform/integrations/api", &[Text("apify_api_"), Run(Alnum, 34, 40)]),
    secret("mem0-key", "https://docs.mem0.ai/", &[Text("m0-"), Run(Alnum, 38, 44)]),
    secret("minimax-key", "https://github.com/betterleaks/betterleaks", &[Text("sk-api-"), Run(UrlSafe, 119, 119)]),
    secret("devin-key", "https://github.com/betterleaks/betterleaks", &[Text("cog_"), Run(LowerAlnum, 52, 52)]),
    secret("devin-key", "https://github.com/betterleaks/betterleaks", &[Text("apk_user_"), Run(Base64, 120, 180), Run(Bearer, 0, 2)]),
    secret("devin-key", "https://github.com/betterleaks/betterleaks", &[Text("apk_"), Run(Base64, 80, 100), Run(Bearer, 0, 2)]),
    secret("cartesia-key", "https://github.com/betterleaks/betterleaks", &[Text("sk_car_"), Run(Word, 20, 24)]),
    secret("moonshot-key", "https://github.com/betterleaks/betterleaks", &[Text("sk-"), Run(UrlSafe, 48, 48)]),
    secret("brave-key", "https://github.com/betterleaks/betterleaks", &[Text("BSA"), Run(UrlSafe, 24, 40)]),
    secret("cursor-key", "https://github.com/betterleaks/betterleaks", &[Text("key_"), Run(Hex, 64, 64)]),
    secret("retell-key", "https://github.com/betterleaks/betterleaks", &[Text("key_"), Run(Hex, 28, 28)]),
];
