"""Scripts that make shells complete ``airflow-flow …`` and ``python FILE.py …`` where the file holds a flow.

A shell completes by the program, and a flow's program is ``python``: the script looks at the file after it, asks the file
itself, as click's own scripts ask a program, and leaves every other use of ``python`` as it was.
"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from airflow_mlflow_provider.cli.main import FLOW_FILE_VARIABLE

_BASH: Final = """
_flow_file_completion() {
    local file=${COMP_WORDS[1]} type value
    COMPREPLY=()
    [[ $COMP_CWORD -ge 2 && $file == *.py && -r $file ]] || return 0
    grep -q airflow_mlflow_provider "$file" || return 0
    while IFS=, read -r type value; do
        case $type in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]:1}" COMP_CWORD=$((COMP_CWORD - 1)) VARIABLE=bash_complete \\
        "${COMP_WORDS[0]}" "$file" 2>/dev/null)
}
complete -o bashdefault -o default -F _flow_file_completion python python3
"""
_ZSH: Final = """
_flow_file_completion() {
    local file=${words[2]} type key descr
    local -a response plain described
    if (( CURRENT < 3 )) || [[ $file != *.py || ! -r $file ]] || ! grep -q airflow_mlflow_provider $file; then
        (( $+functions[_python] )) || autoload -Uz _python
        _python "$@" 2>/dev/null || _files
        return
    fi
    response=("${(@f)$(env COMP_WORDS="${words[2,-1]}" COMP_CWORD=$((CURRENT - 2)) VARIABLE=zsh_complete \\
        ${words[1]} $file 2>/dev/null)}")
    for type key descr in ${response}; do
        case $type in
            plain) if [[ $descr == _ ]]; then plain+=("$key"); else described+=("$key:$descr"); fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}
compdef _flow_file_completion python python3
"""
_FISH: Final = """
function _flow_file_words
    set -l words (commandline -opc)
    test (count $words) -ge 2; and string match -q '*.py' -- $words[2]; and test -r $words[2]
    and grep -q airflow_mlflow_provider $words[2]
end
function _flow_file_completion
    set -l words (commandline -opc)
    for line in (env VARIABLE=fish_complete COMP_WORDS="$words[2..-1]" COMP_CWORD=(commandline -ct) \\
            $words[1] $words[2] 2>/dev/null)
        set -l parts (string split -m 1 ',' -- $line)
        switch $parts[1]
            case plain
                echo $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
        end
    end
end
complete --no-files --command python --condition _flow_file_words --arguments '(_flow_file_completion)'
complete --no-files --command python3 --condition _flow_file_words --arguments '(_flow_file_completion)'
"""
_FLOW_FILES: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion_script(shell: str, console: click.Command, program: str) -> str:
    """The script to source in a shell's start file.

    Args:
        shell: ``bash``, ``zsh`` or ``fish``.
        console: The command of the console script.
        program: What it is called.

    Raises:
        click.UsageError: Click knows no such shell.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    own = kind(console, {}, program, variable).source()
    return own + _FLOW_FILES[shell].replace("VARIABLE", FLOW_FILE_VARIABLE)
