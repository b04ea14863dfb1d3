"""Makes every file under data/ again, in order of dependence."""

import make_generation
import make_goldens
import make_half_replays
import make_lora
import make_loss_replays
import make_lycoris_replays
import make_minis
import make_networks
import make_replays
import make_word_replays
import verify_names
from paths import DATA


def main() -> None:
    DATA.mkdir(exist_ok=True)
    make_minis.main()
    verify_names.main()
    make_goldens.main()
    make_generation.main()
    make_lora.main()
    make_networks.main()
    make_replays.main()
    make_half_replays.main()
    make_loss_replays.main()
    make_word_replays.main()
    make_lycoris_replays.main()
    files = sorted(p for p in DATA.rglob("*") if p.is_file())
    for p in files:
        p.chmod(0o644)
        print(f"{p.stat().st_size:>10,}  {p.relative_to(DATA)}")
    total = sum(p.stat().st_size for p in files)
    print(f"{total:>10,}  in all")
    assert total <= 20_000_000, "the repository carries at most 20 MB of reference data"


if __name__ == "__main__":
    main()
