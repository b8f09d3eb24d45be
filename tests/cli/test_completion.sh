#!/bin/bash
# Bash completes what shardrun itself knows. usage: test_completion.sh SHARDRUN COMPLETION
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=$(realpath "$1")
completion=$(realpath "$2")
cd "$work" || exit 1
failed=0
number=0

# What is offered for the words of a command line, the last of which is being typed.
offered()
{
    # shellcheck disable=SC1090
    (
        source "$completion"
        COMP_WORDS=("$program" "$@")
        COMP_CWORD=$#
        _shardrun
        [ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
    )
}

# is NAME WANTED WORDS...: exactly these words are offered
is()
{
    local name=$1 wanted=$2 got
    shift 2
    got=$(offered "$@")
    number=$((number + 1))
    if [ "$got" = "$wanted" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        echo "# got '$got', wanted '$wanted'"
        failed=1
    fi
}

echo '{"format": "libshard-workflow", "version": 1, "tasks": [{"name": "a", "payload": {"command": ["true"]}}]}' >w.json
"$program" run w.json --executor process --run my-first-run --quiet --no-report >run.log 2>&1 || sed 's/^/# /' run.log

# The first column of a list: an option, a blank or "=", what it is for.
options_of()
{
    "$program" "$1" --help | sed -nE 's/^ +(-., +)?(--[a-z-]+).*/\2/p' | sort | tr '\n' ' '
}

commands=$("$program" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
# shellcheck disable=SC2086 # one word each
is 'all commands are offered' "$(printf '%s\n' $commands --help --version | sort | tr '\n' ' ')" ''
for command in $commands; do
    is "the options of $command are offered" "$(options_of "$command")" "$command" --
done
is 'the beginning of a command is completed' 'explain ' exp
is 'the beginning of an option is completed' '--keep-going ' run --keep-g
is 'policies are known' 'heft ' run --policy = he
is 'executors are known' 'container process ' run --executor ''
is 'formats are known' 'svg ' dag --format s
is 'files are offered where one is wanted' 'w.json ' run w
is 'runs of the store are offered' 'my-first-run ' explain my
is 'runs of another store are not' '' explain --store other.db my
echo "1..$number"
exit $failed
