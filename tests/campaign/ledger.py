"""What the campaigns ask of a ledger, to which each attempt writes a line when it begins and when it ends."""

import collections


def check(ledger, count):
    seen = collections.Counter(ledger.read_text().splitlines())
    ends = collections.Counter(line.split()[0] for line in seen.elements() if line.endswith("end"))
    lost = [i for i in range(count) if ends[str(i)] == 0]
    twice = [i for i in range(count) if ends[str(i)] > 1]
    again = [line for line, times in seen.items() if times > 1]
    assert not lost, f"lost: {lost}"
    assert not twice, f"completed twice: {twice}"
    assert not again, f"an attempt ran more than once: {again}"
    return sum(1 for line in seen if line.endswith("begin"))
