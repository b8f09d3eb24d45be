# Completion of shardrun for bash. Commands and options are asked of shardrun itself, so they are never out of date.
# shellcheck shell=bash disable=SC2207 # the words have no blanks

# Words that stand in a command's help as options: "--hosts", "-H" ...
_shardrun_options()
{
    "$1" "$2" --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z?], +)?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

# Names of the runs in a store.
_shardrun_runs()
{
    "$1" status --json ${2:+"--store=$2"} 2>/dev/null | grep -oE '"run":"[^"\\]*"' | cut -d'"' -f4
}

_shardrun()
{
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
    local before=${COMP_WORDS[COMP_CWORD - 1]} store='' words='' i
    # "--policy=h" is three words for bash: the option, "=", and the beginning of its value.
    [[ $word == '=' ]] && word=''
    [[ $before == '=' ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words=$("$program" --help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]\{1,\}\) .*/\1/p')
        COMPREPLY=($(compgen -W "$words --help --version" -- "$word"))
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == --store ]] || continue
        store=${COMP_WORDS[i + 1]}
        [[ $store == '=' ]] && store=${COMP_WORDS[i + 2]}
    done
    case $before in
    --executor) words='container process' ;;
    --policy) words='round_robin random_retry least_loaded heft exclude_after_failures late best_without_prediction adaptive' ;;
    --runtime) words='crun runc' ;;
    --of) words='host kind task' ;;
    --run) words=$(_shardrun_runs "$program" "$store") ;;
    --format) words='dot svg' ;;
    --group) words='auto always never' ;;
    --candidate) words='prior linear trees prior_trees prior_linear linear_trees prior_linear_trees all' ;;
    --retries) words='task_error= out_of_memory= out_of_disk= timeout= host_lost= preempted= launch_error= stage_error=' ;;
    --hosts | -H | --rootfs | --inputs | --mount | --store | --catalog-key | --catalog-token | --catalog-ca | --report | --output | -o | --plots)
        COMPREPLY=($(compgen -f -- "$word"))
        return
        ;;
    *)
        if [[ $word == -* ]]; then
            words=$(_shardrun_options "$program" "$command")
        elif [[ $command =~ ^(resume|status|explain|report)$ ]]; then
            words=$(_shardrun_runs "$program" "$store")
        else
            COMPREPLY=($(compgen -f -- "$word"))
            return
        fi
        ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -o filenames -o bashdefault -F _shardrun shardrun
