"""Secrets by their names and places in a text; and texts that have none."""

from __future__ import annotations

import json

import pytest

from otel_llm_router import redaction
from otel_llm_router.redaction import HIDDEN

SECRET = "correct-horse"


@pytest.mark.parametrize(
    "text",
    [
        "password={} next",
        "password: {} next",
        "passwd='{}', next=1",
        'db_password = "{}"  # next',
        "PGPASSWORD={} psql next",
        "dbPassword: {} next",
        '{{"password": "{}", "next": 1}}',
        '{{"api_key":"{}","next":1}}',
        '{{"apiKey": "{}", "next": 1}}',
        '{{"x-api-key": "{}", "next": 1}}',
        '{{"client_secret": ["{}", "other"], "next": 1}}',
        '{{"credentials": {{"user": "me", "of": "{}"}}, "next": 1}}',
        "{{'api_key': '{}', 'next': 1}}",
        "{{'Authorization': 'Bearer {}', 'next': 1}}",
        "{{b'authorization': b'Bearer {}', b'next': b'1'}}",
        "[(b'host', b'next'), (b'authorization', b'Bearer {}'), (b'x-api-key', b'{}')]",
        '[["authorization", "Bearer {}"], ["host", "next"]]',
        "Headers({{'host': 'next', 'x-api-key': '{}'}})",
        '{{"name": "Authorization", "value": "Bearer {}"}} next',
        "Authorization: Bearer {}\nHost: next",
        "Authorization: Basic {}\r\nHost: next",
        "proxy-authorization: {}\nnext",
        "Cookie: theme=dark; session={}\nHost: next",
        "Set-Cookie: session={}; Path=/; HttpOnly\nHost: next",
        'Authorization: Digest username="me", response="{}"\nHost: next',
        "Authorization: AWS4-HMAC-SHA256 Credential=me/20260101, Signature={}\nHost: next",
        "curl -H 'Authorization: Bearer {}' https://example.com/next",
        "curl -u me:{} https://example.com/next",
        "serve --api-key {} --port next",
        "serve --api-key={} --port next",
        "['serve', '--api-key', '{}', '--port', 'next']",
        "connect(host='next', password='{}', port=1)",
        "Client(api_key='{}', base_url='next')",
        "os.environ['OPENAI_API_KEY'] = '{}'  # next",
        "export OPENAI_API_KEY={}\nnext",
        "Server=next;User Id=me;Password={};Encrypt=true",
        "DefaultEndpointsProtocol=https;AccountName=next;AccountKey={};EndpointSuffix=core",
        "Endpoint=sb://next/;SharedAccessKeyName=me;SharedAccessKey={}",
        "<user>next</user><password>{}</password>",
        "CREATE ROLE next WITH LOGIN PASSWORD '{}'",
        "ALTER USER next IDENTIFIED BY '{}'",
        "machine next login me password {}",
        "GET /next?api_key={}&model=gpt-4o",
        "GET /next?model=gpt-4o&access_token={}",
        "api_key%3D{}%26next",
        "https://me:{}@example.com/next",
        f"https://{SECRET}@example.com/next",
        "postgresql+asyncpg://me:{}@db:5432/next?sslmode=require",
        "redis://:{}@cache:6379/next",
        "amqp://me:a@b/{}@broker/next",
        "jdbc:oracle:thin:me/{}@db:1521:next",
        "https://example.com/next?sig={}&se=2030",
        "https://example.com/next?X-Amz-Signature={}&X-Amz-Expires=60",
        "https://example.com/next?code={}",
        "https://example.com/next#access_token={}&token_type=bearer",
        "Error: 'secret': '{}' of next",
        "token={} next",
        "auth=('me', '{}'), next=1",
        "aws_secret_access_key = {}\nnext",
        "client-secret: {}\nnext",
        "password:\n  {}\nnext",
    ],
)
def test_values_are_hidden_by_their_names(text: str) -> None:
    given = text.format(*[f"{SECRET}17+/x"] * text.count("{}"))
    left = redaction.text(given)
    assert SECRET not in left
    assert HIDDEN in left
    assert "next" in left
    assert redaction.text(left) == left


@pytest.mark.parametrize("depth", range(5))
def test_json_within_json_is_looked_at(depth: int) -> None:
    secret = 'quo"ted \\ secret'
    text = json.dumps({"api_key": secret, "model": "gpt-4o"})
    for _ in range(depth):
        text = json.dumps({"body": text})
    left = redaction.text(f"failed: {text}")
    for _ in range(depth):
        text = left = json.loads(left.removeprefix("failed: "))["body"]
    assert json.loads(left.removeprefix("failed: ")) == {"api_key": HIDDEN, "model": "gpt-4o"}


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 5",
        "max_tokens=4096, tokens_generated=17, total_tokens: 42",
        "'usage': {'prompt_tokens': 12, 'completion_tokens': 30, 'cached_tokens': 0}",
        "eos_token: </s> pad_token=<pad> first_token: 0.35s",
        "time per token: 0.02",
        "token: 17",
        "anthropic/claude-3-5-sonnet-20241022",
        "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0",
        "gpt-4o-mini-2024-07-18",
        "azure/gpt-4.1-nano",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "Qwen/Qwen2.5-Coder-32B-Instruct-AWQ",
        "chatcmpl-Bq3hd8f7Gh2kLmNoP4rStUvWxYz01",
        "msg_01XFDUDYJgAACzvnptvVoYEL",
        "call_9pw1qnYScqvGrCH58HWCvFH6",
        "req_011CSHoEeqs5C35K2UUqR7Fy",
        "run-2f9c1b7e-2f9c-4b7e-9f9c-1b7e2f9c1b7e",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "cache_key=llm:gpt-4o:9f86d081884c7d659a2feaa0c55ad015",
        "primary key: 12345678901234567890",
        "key: temperature",
        "KeyError: 'model'",
        "the key is missing: 'choices'",
        "password: None",
        'api_key=None, token=null, "secret": false',
        "api_key_hash=88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "api_key_alias=team-a, key_name: production, secret_name: db/primary",
        "https://api.openai.com/v1/chat/completions",
        "http://localhost:8080/users/a@b",
        "https://example.com/search?q=tokens&page=2&limit=10",
        "scikit: sk-learn 1.5 and task-1234, risk-5678",
        "bearer authentication is required",
        "WWW-Authenticate: Basic realm=router",
        "basic checks passed: 5",
        "Traceback (most recent call last):\n  File \"/app/router.py\", line 12, in route\n    raise ValueError('no model')",
        "2026-11-21T23:30:00.123456+00:00 INFO router 127.0.0.1:8000 GET /v1/models 200 0.004s",
        "kubernetes pod router-7d9c6b5f4d-x2x9z in namespace llm-prod",
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4",
        "/usr/lib/python3.11/site-packages/litellm/llms/custom_httpx/llm_http_handler.py",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "Retry after 20 seconds. Visit https://platform.openai.com/account/rate-limits",
        'llm_router_tokens_generated_total{model="gpt-4o"} 17',
        "ssn is no field; cvs=1; bus=2; this=3",
        "Content-Type: application/json; charset=utf-8",
        "compass: north, passed: 12, bypass=true",
        "re_ranking_model_for_documents_v2 and re_embedding_large_multilingual_2024",
        "jina_embeddings_v2_base_en of jina_reranker_v2_base_multilingual",
        "pod pa-inference-gateway-deployment-7c9bf6d5f8-x2k4z is ready",
        "sk-learn-text-classification-2024",
        "https://example.com/jobs?state=open&p=2",
        "https://example.com/jobs?state=in_progress,done",
        "OpenAIException - Rate limit reached for gpt-4o in organization org-abc123def456ghi789 on tokens per min: Limit 30000",
        "litellm.ContextWindowExceededError: This model's maximum context length is 8192 tokens.",
        "Passed model=gpt-4o. pre-call-checks=False, cooldown_list=['9f86d081884c7d659a2feaa0c55ad015']",
        'UPDATE "LiteLLM_VerificationToken" SET spend = spend + 0.02 WHERE token = $1',
        "SELECT id, key, token FROM users WHERE key = $1 AND token_count > 5 ORDER BY key",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redaction.text(text) == text


def test_text_that_has_been_seen_is_the_same_object() -> None:
    text = "no secret in here"
    assert redaction.text(text) is text


def test_other_letters_and_control_characters_stay() -> None:
    assert redaction.text("пароль password=тайна\x00 é") == f"пароль password={HIDDEN} é"
    assert redaction.text("İ password=x\ud800y é") == f"İ password={HIDDEN} é"
