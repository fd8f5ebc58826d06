"""Turn the JSON of `hl eval` into a Markdown table for docs/benchmarks/.

hl eval composite --data clips/ --json > results.json; python scripts/results_table.py results.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = report["rows"]
    kinds = list(rows[0]["kinds"])
    print(report["protocol"] + "\n")
    print(f"| row | looks at | mean | 95 % | {' | '.join(kinds)} |")
    print("| --- | --- | ---: | --- |" + " ---: |" * len(kinds))
    for row in sorted(rows, key=lambda row: -row["map"]):
        low, high = row["ci95"]
        cells = [f"{100 * row['kinds'][kind]['map']:.1f}" for kind in kinds]
        print(
            f"| {row['name']} | {row['modality']} | {100 * row['map']:.1f} | "
            f"{100 * low:.1f} to {100 * high:.1f} | {' | '.join(cells)} |"
        )
    print()
    for one in report["comparisons"]:
        low, high = one["ci95"]
        trivial = f"`{one['best_trivial']}`, the best trivial row that looks at no more"
        print(
            f"* `{one['name']}` ({one['modality']}) minus {trivial}: "
            f"{100 * one['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]; "
            f"wins: {one['wins']}"
        )


if __name__ == "__main__":
    main()
