"""An independent reading of FAIR/1: recomputes outcomes from published documents with the standard library only.

It shares no line with src/fairness. Each line of standard input is one JSON document (a transcript or a pair reveal);
each line of output is its answer: {"ctx": ..., "outcome": ..., "entriesRoot": ..., "commitHash": ..., "configHash": ...}.
"""
import hashlib
import hmac
import json
import sys


def sha(data):
    return hashlib.sha256(data).digest()


def canonical(value):
    # Python sorts keys by code point, FAIR/1 by UTF-16 code unit; encoding the key as UTF-16 gives that order.
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(json.dumps(n, ensure_ascii=False) + ":" + canonical(value[n]) for n in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        raise ValueError("no fractions")
    return json.dumps(value, ensure_ascii=False)


def jcs(value):
    return canonical(value).encode("utf-8")


class Stream:
    def __init__(self, key, ctx):
        self.key, self.ctx, self.index = key, ctx, 0

    def word(self):
        block, quarter = divmod(self.index, 4)
        self.index += 1
        mac = hmac.new(self.key, f"{self.ctx}|{block}".encode("ascii"), hashlib.sha256).digest()
        return int.from_bytes(mac[quarter * 8:quarter * 8 + 8], "big")

    def uniform(self, n):
        assert 1 <= n < 2 ** 53
        if n == 1:
            return 0
        limit = 2 ** 64 - 2 ** 64 % n
        while True:
            word = self.word()
            if word < limit:
                return word % n

    def weighted(self, weights):
        roll = self.uniform(sum(weights))
        for index, weight in enumerate(weights):
            if roll < weight:
                return index
            roll -= weight

    def picks(self, n):
        cells = list(range(n))
        for i in range(n):
            j = i + self.uniform(n - i)
            cells[i], cells[j] = cells[j], cells[i]
            yield cells[i]

    def weighted_picks(self, weights):
        left = list(weights)
        while sum(left) > 0:
            roll = first = self.uniform(sum(left))
            for index, weight in enumerate(left):
                if roll < weight:
                    break
                roll -= weight
            left[index] = 0
            yield index, first


def first(generator, count):
    taken = []
    while len(taken) < count:
        try:
            taken.append(next(generator))
        except StopIteration:
            break
    return taken


def merkle(hashes):
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha(b"\x01" + merkle(hashes[:split]) + merkle(hashes[split:]))


def context_of(doc):
    kind, mode = doc["commit"]["doc"]["kind"], doc["commit"]["doc"]["mode"]
    commit, entries = doc["commit"]["hash"], doc.get("entries", {})
    randomness = "-" if mode == "commit" else doc.get("beacon", {}).get("randomness")
    if kind in ("wheel", "mystery"):
        client = doc["client"]
        fields = [commit, client["seed"], client["nonce"], client["entropy"]]
    elif kind == "round":
        fields = [commit, doc["roundNo"], entries["root"], randomness]
    elif kind == "jackpot":
        fields = [commit, entries["root"], entries["total"], randomness]
    elif kind == "tie":
        fields = [commit, entries["root"], doc["groupNo"], randomness]
    elif kind == "guess" and doc["config"].get("hints") is True:
        fields = [commit, "-", 0, "-"]
    else:
        fields = [commit, entries["root"], entries["n"], randomness]
    return "fair/1|" + kind + "|" + "|".join(str(field) for field in fields)


def raffle(stream, config, entries):
    leaves, n = entries["list"], entries["n"]
    wanted = sum(prize["qty"] for prize in config["prizes"]) + config.get("reserves", 0)
    weights = [leaf["w"] for leaf in leaves] if config.get("weighted") else None
    if config.get("replacement"):
        order = [stream.weighted(weights) if weights else stream.uniform(n) for _ in range(wanted)]
        placed = order
    else:
        source = (index for index, _ in stream.weighted_picks(weights)) if weights else stream.picks(n)
        if config.get("onePrizePerEntrant"):
            order, placed, seen = [], [], set()
            while len(placed) < wanted and len(order) < config.get("drawLimit", n):
                nxt = first(source, 1)
                if not nxt:
                    break
                order += nxt
                if leaves[nxt[0]]["e"] not in seen:
                    seen.add(leaves[nxt[0]]["e"])
                    placed += nxt
        else:
            order = placed = first(source, wanted)
    prizes, at = [], 0
    for prize in config["prizes"]:
        prizes.append({"id": prize["id"], "entries": placed[at:at + prize["qty"]]})
        at += prize["qty"]
    return {"order": order, "prizes": prizes, "reserves": placed[at:wanted]}


def guess(stream, config, entries):
    low, high = config["min"], config["max"]
    targets = [low + pick for pick in first(stream.picks(high - low + 1), config["targets"])]
    if config.get("hints") is True:
        return {"targets": targets}
    leaves = entries["list"]
    guesses = [leaf["g"] for leaf in leaves]

    def rank(g):
        match = config.get("match", "exact")
        if match in ("unique", "lowest_unique") and guesses.count(g) != 1:
            return None
        if match == "exact":
            return 0 if g in targets else None
        if match in ("nearest", "unique"):
            return min((abs(g - t) for t in targets), default=None)
        if match == "nearest_under":
            return min((t - g for t in targets if t >= g), default=None)
        if match == "lowest_unique":
            return g
        hits = len(set(g) & set(targets))
        return len(targets) - hits if hits >= config.get("minMatches", 1) else None

    ranks = [rank(g) for g in guesses]
    winners = []
    for best in sorted({r for r in ranks if r is not None}):
        left = config["prizes"] - len(winners)
        if left <= 0:
            break
        members = [i for i, r in enumerate(ranks) if r == best]
        if config["rule"] == "first":
            winners += members[:left]
        elif config["rule"] == "draw":
            winners += [members[at] for at in first(stream.picks(len(members)), min(left, len(members)))]
        else:
            winners += members
    return {"targets": targets, "winners": winners}


def tie(stream, doc):
    keyed = [canonical({k: v for k, v in leaf.items() if k not in ("e", "i")}) for leaf in doc["entries"]["list"]]
    groups, start = [], 0
    for i in range(1, len(keyed) + 1):
        if i == len(keyed) or keyed[i] != keyed[start]:
            if i - start >= 2:
                groups.append(list(range(start, i)))
            start = i
    members = groups[doc["groupNo"]]
    order = [members[at] for at in stream.picks(len(members))]
    return {"groupNo": doc["groupNo"], "members": members, "order": order}


def outcome_of(doc, ctx):
    commit, config, entries = doc["commit"]["doc"], doc["config"], doc.get("entries", {})
    key = doc["beacon"]["randomness"] if commit["mode"] == "beacon" else doc["serverSeed"]
    stream = Stream(bytes.fromhex(key), ctx)
    kind = commit["kind"]
    if kind in ("wheel", "mystery", "round"):
        index = stream.weighted([segment["weight"] for segment in config["segments"]])
        return {"id": config["segments"][index]["id"], "index": index}
    if kind == "draw":
        return raffle(stream, config, entries)
    if kind == "jackpot" and "events" in config:
        results = []
        for event in config["events"]:
            index = stream.weighted([option["weight"] for option in event["options"]])
            results.append({"event": event["id"], "index": index, "option": event["options"][index]["id"]})
        return {"results": results}
    if kind == "jackpot":
        picks = first(stream.weighted_picks([leaf["w"] for leaf in entries["list"]]), config.get("winners", 1))
        return {"r": picks[0][1], "winners": [index for index, _ in picks]}
    if kind == "guess":
        return guess(stream, config, entries)
    return tie(stream, doc)


def answer(doc):
    told = {
        "commitHash": sha(b"fair/1/commit\n" + jcs(doc["commit"]["doc"])).hex(),
        "configHash": sha(jcs(doc["config"])).hex(),
    }
    if doc.get("type") == "pair-reveal":
        weights = [segment["weight"] for segment in doc["config"]["segments"]]
        kind, seed = doc["commit"]["doc"]["kind"], bytes.fromhex(doc["serverSeed"])
        told["results"] = []
        for spin in doc["spins"]:
            ctx = f"fair/1|{kind}|{doc['commit']['hash']}|{doc['clientSeed']}|{spin['nonce']}|{spin['entropy']}"
            told["results"].append(Stream(seed, ctx).weighted(weights))
        return told
    told["ctx"] = context_of(doc)
    told["outcome"] = outcome_of(doc, told["ctx"])
    if "list" in doc.get("entries", {}):
        told["entriesRoot"] = merkle([sha(b"\x00" + jcs(leaf)) for leaf in doc["entries"]["list"]]).hex()
    return told


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))))
