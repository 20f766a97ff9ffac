# bash completion for nas. tests/tools/test-docs.sh compares it with the program's --help.

_nas_words() {
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_nas_files() { # a pattern of names to offer, beside folders
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -X "!$1" -- "$cur"; compgen -d -- "$cur")
}

_nas() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} nas=${COMP_WORDS[0]}
    local common="--help --version -h" places=0 i
    local settings="--set -s --space --data --controller --seed --trials --seconds --epochs
        --final-epochs --window --workers --threads --tuning --param -p"
    local keys="space= seed= window= workers= threads= tuning= parameters. controller.name= evaluator.name=
        evaluator.epochs= data.name= budget.trials= budget.evaluations= budget.epochs= budget.seconds=
        budget.target= budget.trial_seconds= objective.metric= objective.minimise= objective.weight= objective.limit= objective.exponent= final.epochs="
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _nas_words "search resume replay list report dump train tune compare space arch --help --version"
        return
    fi
    # --option=value comes as three words
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
    --space)
        _nas_words "$("$nas" space list 2>/dev/null)"
        _nas_files "*.y*ml"
        return
        ;;
    --data)
        _nas_words fashion-mnist
        _nas_files "/"
        return
        ;;
    --controller)
        _nas_words "asha bohb evolution halving hyperband random exhaustive local-search nsga2"
        return
        ;;
    --as)
        _nas_words "one-hot adjacency path"
        return
        ;;
    --sort)
        _nas_words "trial score accuracy params macs seconds"
        return
        ;;
    --output | -o | --tuning)
        _nas_files "*"
        return
        ;;
    --set | -s)
        [[ ${COMP_WORDS[1]} != train ]] || keys="epochs= batch= learning_rate= optimizer= schedule="
        compopt -o nospace 2>/dev/null
        _nas_words "$keys"
        return
        ;;
    --seed | --seeds | --trials | --seconds | --epochs | --final-epochs | --window | --workers | --threads | \
        --param | -p | --count | -n | --best | -b | --title)
        return
        ;;
    esac
    # how many arguments stand before this one
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -* | =) ;;
        *)
            case ${COMP_WORDS[i - 1]} in
            = | --set | -s | --space | --data | --controller | --seed | --seeds | --trials | --seconds | --epochs | \
                --final-epochs | --window | --workers | --threads | --tuning | --param | -p | --output | -o | \
                --count | -n | --best | -b | --sort | --title | --as) ;;
            *) ((places++)) ;;
            esac
            ;;
        esac
    done
    case ${COMP_WORDS[1]} in
    search)
        if [[ $cur == -* ]]; then
            _nas_words "$common $settings --resume --output -o --json -j --quiet -q"
        else
            _nas_files "*.y*ml"
        fi
        ;;
    resume)
        if [[ $cur == -* ]]; then
            _nas_words "$common $settings --json -j --quiet -q"
        else
            _nas_files "*.nas"
        fi
        ;;
    replay)
        if [[ $cur == -* ]]; then
            _nas_words "$common --threads --workers --json -j --quiet -q"
        else
            _nas_files "*.nas"
        fi
        ;;
    list)
        if [[ $cur == -* ]]; then
            _nas_words "$common --best -b --sort --output -o --json -j"
        else
            _nas_files "*.nas"
        fi
        ;;
    report)
        if [[ $cur == -* ]]; then
            _nas_words "$common --text -t --title --best -b --output -o"
        else
            _nas_files "*.nas"
        fi
        ;;
    dump)
        if [[ $cur == -* ]]; then
            _nas_words "$common --canonical --output -o"
        else
            _nas_files "*.nas"
        fi
        ;;
    compare)
        if [[ $cur == -* ]]; then
            _nas_words "$common --seeds --threads --output -o --quiet -q"
        else
            _nas_files "*.y*ml"
        fi
        ;;
    train)
        if [[ $cur == -* ]]; then
            _nas_words "$common --data --set -s --epochs --seed --threads --tuning --param -p --output -o --json -j
                --quiet -q"
        elif ((places == 0)); then
            _nas_words "$("$nas" space list 2>/dev/null)"
            _nas_files "*.y*ml"
        fi
        ;;
    tune)
        if [[ $cur == -* ]]; then
            _nas_words "$common --count -n --seed --param -p --output -o --json -j"
        elif ((places == 0)); then
            _nas_words "$("$nas" space list 2>/dev/null)"
            _nas_files "*.y*ml"
        fi
        ;;
    space)
        if [[ $cur == -* ]]; then
            _nas_words "$common --count -n --seed --as --param -p --output -o --json -j"
        elif ((places == 0)); then
            _nas_words "list show count sample check published neighbors encode diff"
        elif [[ ${COMP_WORDS[2]} != list ]]; then
            _nas_words "$("$nas" space list 2>/dev/null)"
            _nas_files "*.y*ml"
        fi
        ;;
    arch)
        if [[ $cur == -* ]]; then
            _nas_words "$common --svg --dot --text --batch --memory --measuring --no-fusion --tuning --param -p --output -o --json -j"
        elif ((places == 0)); then
            _nas_words "info draw plan"
        elif ((places == 1)); then
            _nas_words "$("$nas" space list 2>/dev/null)"
            _nas_files "*.y*ml"
        elif ((places == 2)); then
            _nas_words "$("$nas" space published "${COMP_WORDS[3]}" 2>/dev/null)"
        fi
        ;;
    esac
}
complete -F _nas nas
