"""Which providers are offered first."""

from __future__ import annotations

from hermes_router.catalogue.load import load_builtin
from hermes_router.catalogue.schema import Limits, ModelSpec, ProviderSpec
from hermes_router.cli.offers import Offer, offers


def spec(*models: ModelSpec, limits: Limits | None = None, **more: str) -> ProviderSpec:
    said = {"signup": "x.example", "as_of": "2026-11", **more}
    return ProviderSpec(models=models, limits=limits, **said)  # type: ignore[arg-type]


def free(rpd: int = 0, tier: int = 3, rpm: int = 0) -> ModelSpec:
    return ModelSpec(id=f"m{rpd}{tier}", free=True, tier=tier, limits=Limits(rpd=rpd, rpm=rpm))


def names(found: list[Offer]) -> list[str]:
    return [one.name for one in found]


def test_more_calls_come_first():
    assert names(offers({"few": spec(free(50)), "many": spec(free(1000))})) == ["many", "few"]


def test_stronger_models_come_first():
    assert names(offers({"weak": spec(free(500, tier=5)), "strong": spec(free(500, tier=1))})) == ["strong", "weak"]


def test_what_all_models_share_is_the_ceiling():
    (one,) = offers({"a": spec(free(1000), free(1000), limits=Limits(rpd=50))})
    assert one.calls == 50


def test_a_limit_a_minute_is_not_taken_for_one_a_day():
    (one,) = offers({"a": spec(free(rpm=60))})
    assert one.in_words() == "60 calls a minute"


def test_what_is_paid_retired_or_configured_is_not_offered():
    specs = {
        "paid": spec(ModelSpec(id="m", price=(1.0, 1.0))),
        "gone": spec(free(10), status="retired"),
        "there": spec(free(10)),
    }
    assert offers(specs, configured=["there"]) == []


def test_the_catalogue_offers_something_with_its_date_and_place():
    found = offers(load_builtin())
    assert {"gemini", "groq", "openrouter"} <= set(names(found))
    assert all(one.as_of and one.signup for one in found)
