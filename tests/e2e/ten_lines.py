# An application that was not written for us.
import os

from fastapi import FastAPI
from litellm import Router

params = {"model": "openai/gpt-4o-mini", "api_base": os.environ["UPSTREAM"], "api_key": "sk-not-for-export"}
router = Router([{"model_name": "smart", "litellm_params": params}], num_retries=2, retry_after=0)
app = FastAPI()


@app.post("/ask/{tenant}")
async def ask(tenant: str, question: str) -> str:
    return (await router.acompletion("smart", [{"role": "user", "content": question}])).choices[0].message.content
