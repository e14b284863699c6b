from modelyard.control.tenancy.secrets import digest, new_secret, prefix_of


def test_a_secret_has_the_agreed_shape_and_its_digest() -> None:
    secret = new_secret()
    assert len(secret.text) == len("yard_") + 8 + 1 + 43
    assert prefix_of(secret.text) == secret.prefix
    assert secret.sha256 == digest(secret.text)
    assert len(secret.sha256) == 64


def test_secrets_differ() -> None:
    made = [new_secret() for _ in range(1000)]
    assert len({secret.text for secret in made}) == 1000
    assert len({secret.prefix for secret in made}) > 990


def test_what_is_no_key_has_no_prefix() -> None:
    whole = new_secret().text
    for text in ("", "yard_", whole[:-1], whole + "x", whole.upper(), whole + "\n", " " + whole, "pass_1_2_3"):
        assert prefix_of(text) is None
