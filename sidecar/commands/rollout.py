"""``weft rollout``: follow, undo, restart or pause a Deployment's rollout, and list revisions; as kubectl does.

As kubectl waits until the generation that it sees is observed, status waits until what the manifests say is in force.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from sidecar.bearer import noted_token
from sidecar.errors import FAILURE, UserError
from sidecar.options import read_options, read_seconds
from sidecar.reading import AdminClient, admin_address
from sidecar.terminal import printable

PATH = "/api/v1/rollouts"
KINDS = ("deployment", "deployments", "deploy", "deployment.apps", "deployments.apps")
POLL_SECONDS = 0.2
LOOK_SECONDS = 0.1
"""As often as a weft looks at a few files."""
LOOKS = 2
"""Of these the second began after the first was counted."""
SILENT_SECONDS = 2.0
"""After so long it is said what is waited for."""
DESCRIPTION = """\
Follows and changes the rollout of a Deployment that a running weft runs: status waits until what the manifests say now
is rolled out (exit code 1 if that exceeds its progress deadline); history lists revisions; undo returns to an earlier
one; restart replaces all replicas; pause and resume hold a new template back.  Manifests stay the source: what undo
and restart put in force holds, also over restarts of weft, until the template in the manifest is another.  Changes
need the state folder of the running weft.
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "rollout",
        help="follow, undo, restart or pause the rollout of a Deployment",
        description=DESCRIPTION,
    )
    actions = ("status", "history", "undo", "restart", "pause", "resume")
    parser.add_argument("what", choices=actions, metavar="|".join(actions))
    parser.add_argument("names", metavar="NAME", nargs="+", help="of a Deployment: NAME, deployment/NAME")
    parser.add_argument("-n", "--namespace", default="default", help="default: default")
    parser.add_argument("--to-revision", metavar="N", type=_revision, default=0, help="for undo; default: the last one")
    parser.add_argument(
        "--revision", metavar="N", type=_revision, default=0, help="for history and status: of this one"
    )
    parser.add_argument("--timeout", metavar="TIME", type=read_seconds, default=0.0, help="for status; default: none")
    parser.add_argument("-w", "--watch", choices=("true", "false"), default="true", help="for status: wait for the end")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    name = _name(args.names)
    client = AdminClient(admin_address(read_options(args)))
    if args.what == "status":
        return _follow(args, client, name)
    if args.what == "history":
        return _history(args, client, name)
    return _change(args, client, name)


def _follow(args: argparse.Namespace, client: AdminClient, name: str) -> int:
    deadline = time.monotonic() + args.timeout if args.timeout else float("inf")
    _wait_until_observed(client, deadline)
    shown = ""
    while True:
        told = _find(client, args.namespace, name)
        if args.revision and told["revision"] != args.revision:
            raise UserError(
                f"desired revision ({args.revision}) is different from the running one ({told['revision']})"
            )
        line, done = progress(told)
        if args.json and (done or args.watch == "false"):
            print(json.dumps(told))
        elif line != shown and not args.json:
            print(line, flush=True)
        shown = line
        if done or args.watch == "false":
            return 0
        _wait(POLL_SECONDS, deadline)


def _wait_until_observed(client: AdminClient, deadline: float) -> None:
    """Until what the manifests say now is in force, or was found to have errors: a look that began later has ended."""
    wanted = _listed(client)["looks"] + LOOKS
    silent_until = time.monotonic() + SILENT_SECONDS
    while _listed(client)["looks"] < wanted:
        if time.monotonic() >= silent_until:
            silent_until = float("inf")
            print("waiting until what the manifests say now is in force", file=sys.stderr, flush=True)
        _wait(LOOK_SECONDS, deadline)


def _wait(seconds: float, deadline: float) -> None:
    """Raises UserError once the deadline, a moment of the monotonic clock, is over."""
    if time.monotonic() >= deadline:
        raise UserError("timed out waiting for the condition")
    time.sleep(seconds)


def progress(told: Mapping[str, Any]) -> tuple[str, bool]:
    """How far a rollout is, in kubectl's words, and whether it is complete.  Raises UserError if it has failed."""
    name = f'deployment "{told["name"]}"'
    reason = next((each["reason"] for each in told["conditions"] if each["type"] == "Progressing"), "")
    if reason == "ProgressDeadlineExceeded":
        raise UserError(f"{name} exceeded its progress deadline{_why(told)}", FAILURE)
    if reason == "ReplicaSetCreateError":
        raise UserError(f"{name} cannot run{_why(told)}", FAILURE)
    waiting = f"Waiting for {name} rollout to finish: "
    wanted, existing, updated, available = (told[key] for key in ("replicas", "existing", "updated", "available"))
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...", False
    if existing > updated:
        return f"{waiting}{existing - updated} old replicas are pending termination...", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...", False
    if told["rolledBack"]:
        raise UserError(f"{name}: {printable(told['rolledBack'])}", FAILURE)
    return f"{name} successfully rolled out", True


def history_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The revisions as kubectl lists them, or the template of one."""
    head = f"deployment.apps/{told['name']}"
    if "template" in told:
        yield f"{head} with revision #{told['asked']}"
        yield "Pod Template:"
        yield from (f"  {line}" for line in json.dumps(told["template"], indent=2).splitlines())
        return
    yield head
    yield f"{'REVISION':<10}CHANGE-CAUSE"
    for each in told["revisions"]:
        mark = " (current)" if each["revision"] == told.get("revision") else ""
        yield f"{each['revision']:<10}{printable(each['changeCause']) or '<none>'}{mark}"
    if told.get("departs"):
        yield f"the template of revision {told['revision']} is in force, not the manifest's, until that is another"


def _history(args: argparse.Namespace, client: AdminClient, name: str) -> int:
    query = {"namespace": args.namespace, "name": name} | ({"revision": args.revision} if args.revision else {})
    told = client.json(f"{PATH}/history?{urlencode(query)}", accept=(200, 400, 404))
    if "error" in told:
        raise UserError(f"rollout: {told['error']}")
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(history_lines({**told, "asked": args.revision})))
    return 0


def _change(args: argparse.Namespace, client: AdminClient, name: str) -> int:
    query = {"action": args.what, "namespace": args.namespace, "name": name}
    if args.what == "undo":
        query["to-revision"] = args.to_revision
    token = noted_token(read_options(args).state)
    _, told = client.write("POST", f"{PATH}?{urlencode(query)}", token)
    print(json.dumps(told) if args.json else f"deployment.apps/{told['name']} {told['done']}")
    return 0


def _listed(client: AdminClient) -> Mapping[str, Any]:
    document = client.json(PATH, accept=(200, 404))
    if "rollouts" not in document:
        raise UserError(f"rollout: the weft at {client.address} runs no Deployments")
    return dict(document)


def _find(client: AdminClient, namespace: str, name: str) -> Mapping[str, Any]:
    rollouts = _listed(client)["rollouts"]
    found = [each for each in rollouts if (each["namespace"], each["name"]) == (namespace, name)]
    if not found:
        from config.suggestions import did_you_mean

        names = [each["name"] for each in rollouts if each["namespace"] == namespace]
        raise UserError(f'rollout: there is no Deployment "{namespace}/{name}"{did_you_mean(name, names)}')
    return dict(found[0])


def _name(words: list[str]) -> str:
    """``NAME``, ``deployment/NAME`` or ``deployment NAME``."""
    kind, slash, name = "/".join(words).rpartition("/")
    if slash and kind.lower() not in KINDS:
        raise UserError(f"rollout: {kind} has no rollout: name one Deployment, as NAME or deployment/NAME", 2)
    return name


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise argparse.ArgumentTypeError("must be the number of a revision")
    return int(text)


def _why(told: Mapping[str, Any]) -> str:
    return f": {printable(told['message'])}" if told["message"] else ""
