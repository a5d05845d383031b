import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from art_training.setup.identity.secrets import MASK, is_secret_name, mask, mask_command, mask_mapping

LETTERS = string.ascii_letters + string.digits
KNOWN_FORMS = {
    "ghp_": st.text(LETTERS, min_size=36, max_size=36),
    "github_pat_": st.text(LETTERS + "_", min_size=40, max_size=60),
    "glpat-": st.text(LETTERS + "-", min_size=20, max_size=20),
    "sk-": st.text(LETTERS, min_size=32, max_size=48),
    "sk-proj-": st.text(LETTERS + "-_", min_size=32, max_size=48),
    "AKIA": st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16),
    "hf_": st.text(LETTERS, min_size=30, max_size=40),
    "xoxb-": st.text(string.digits + "-", min_size=20, max_size=30),
    "AIza": st.text(LETTERS, min_size=35, max_size=35),
}
known = st.sampled_from(sorted(KNOWN_FORMS)).flatmap(lambda prefix: KNOWN_FORMS[prefix].map(lambda rest: prefix + rest))
around = st.text(string.ascii_letters + " \n=:'\"(),.", max_size=20)
# Long enough to be in no other place of the text by chance.
secret = st.text(LETTERS + "._~+/-", min_size=12, max_size=40).filter(lambda text: text[0] not in "-.")


@given(around, known, around)
def test_a_secret_of_a_known_form_never_stays(before: str, value: str, after: str) -> None:
    assert value not in mask(f"{before} {value} {after}")


@pytest.mark.parametrize(
    "text",
    [
        "password={}",
        "PASSWORD = '{}'",
        '+    db_password: str = "{}"',
        "-export WANDB_API_KEY={}",
        "+  HF_TOKEN: {}",
        '{{"api_key": "{}"}}',
        'os.environ["AWS_SECRET_ACCESS_KEY"] = "{}"',
        'os.environ.setdefault("HF_TOKEN", "{}")',
        "Authorization: Bearer {}",
        "'Authorization': 'Token {}'",
        "python train.py --token {} --epochs 3",
        "python train.py --api-key={}",
        "curl https://user:{}@example.com/path",
        "git clone https://{}@example.com/repo.git",
        "postgresql://me:{}@host:5432/db",
        'clientSecret = "{}"',
        'token = f"""{}"""',
        "password = (\n+    '{}'\n+)",
        "set secret_key := {}",
        "bearer {}",
    ],
)
@given(value=secret)
def test_a_secret_never_stays_where_its_name_stands(text: str, value: str) -> None:
    value = value.replace("/", "x") if "://" in text else value  # a slash ends the part before the host
    assert value not in mask(text.format(value))


@given(st.text(string.printable, max_size=60))
def test_any_text_can_be_masked_and_masked_again(text: str) -> None:
    assert mask(mask(text)) == mask(mask(mask(text)))


def test_a_private_key_is_masked_whole() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n+MIIEow\n+IBAAKC\n-----END RSA PRIVATE KEY-----"
    assert mask(f"+a\n+{key}\n+b") == f"+a\n+{MASK}\n+b"
    assert "MIIEow" not in mask(key.partition("-----END")[0])


def test_a_web_token_is_masked() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    assert mask(f"got {token}.") == f"got {MASK}"


def test_what_surrounds_a_secret_stays_readable() -> None:
    assert mask("python train.py --token abcdefgh --epochs 3") == "python train.py --token *** --epochs 3"
    assert mask("psql postgresql://me:hunter2@host/db") == "psql postgresql://me:***@host/db"
    assert mask('+    password = "hunter2"  # mine') == '+    password = "***"  # mine'
    assert mask("ssh://git@example.com/x") == "ssh://git@example.com/x"


@pytest.mark.parametrize(
    "text",
    [
        "tokenizer = Tokenizer(vocab)",
        "max_tokens = 128",
        "pad_token_id = 0",
        'pad_token = "<pad>"',
        "self.token_embedding = nn.Embedding(10, 3)",
        "num_tokens: int = 512",
        "for token in tokens: count += 1",
        "secretary = 3",
        "key = 'accuracy'",
        "monkey_key: 3",
        "lr = 0.001",
        "index d01e3..f9a0 100644",
        "@@ -1,3 +1,4 @@ def forward(self, x):",
        "a @ b.T",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "dbPassword", "api_key", "apiKey", "X-Api-Key", "hf_token", "HF_TOKEN", "accessToken"],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["tokenizer", "max_tokens", "eos_token", "n_token", "key", "author", "compass", "bypass"]
)
def test_names_of_other_things_are_let_alone(name: str) -> None:
    assert not is_secret_name(name)


def test_a_mapping_is_masked_by_its_keys_and_its_texts() -> None:
    masked = mask_mapping(
        {
            "hparams.api_key": "hunter2",
            "trainer": {"logger": {"token": "hunter2", "url": "https://me:hunter2@host"}},
            "list": ["--password hunter2", 3],
            "password": 1234,
            "token": None,
            "use_auth": True,
            "auth": 3,
            "lr": 0.1,
            "pad_token": "<pad>",
        }
    )
    assert "hunter2" not in str(masked)
    assert masked["password"] == MASK
    assert masked["token"] is None
    assert (masked["use_auth"], masked["auth"], masked["lr"], masked["pad_token"]) == (True, 3, 0.1, "<pad>")


def test_a_command_line_is_masked_argument_by_argument() -> None:
    command = ["train.py", "--token", "hunter2", "--password=hunter2", "--epochs", "3", "--auth", "--fast"]
    assert mask_command(command) == (
        "train.py",
        "--token",
        MASK,
        f"--password={MASK}",
        "--epochs",
        "3",
        "--auth",
        "--fast",
    )
