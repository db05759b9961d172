"""The command ``otel-llm-router hash-password``: a line for the scrape server's file of users.

Room: `cli`.
"""

from __future__ import annotations

import click

from otel_llm_router.export import _passwords

_EXAMPLE = """\b
Example:
  otel-llm-router hash-password prometheus >> users
  OTEL_LLM_ROUTER_SCRAPE_USERS_FILE=users opentelemetry-instrument uvicorn app:app
"""


@click.command(epilog=_EXAMPLE)
@click.argument("user")
@click.password_option(help="The password; asked for when left out, which keeps it out of the shell's history.")
def hash_password(user: str, password: str) -> None:
    """Print USER with a hash of a password, as a line for OTEL_LLM_ROUTER_SCRAPE_USERS_FILE."""
    if not user or ":" in user or user != user.strip():
        raise click.BadParameter("a user's name is not empty and has no colon and no space around it")
    if not password:
        raise click.BadParameter("the password is empty")
    click.echo(f"{user}:{_passwords.hashed(password)}")
