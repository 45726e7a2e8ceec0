# shellcheck shell=bash
# Shell functions for state files. Source this file; each function is one command of Holdfast, and returns its exit code:
# 0 done, 4 refused and nothing changed, 5 written but not yet safe from a power cut, 6 corrupt, 7 the disk refused.

# write_atomic FILE CONTENT [OPTION...]
write_atomic() { printf '%s\n' "$2" | holdfast state write "$1" "${@:3}" > /dev/null; }

# safe_atomic_write FILE CONTENT [OPTION...]: the same. Every write makes the folder, refuses to empty the file,
# says why it failed, and leaves no temp behind.
safe_atomic_write() { write_atomic "$@"; }

# update_json_atomic FILE FILTER [--arg NAME TEXT]... [--argjson NAME JSON]...: give values as arguments, not inside the filter.
update_json_atomic() { holdfast state json "$@" > /dev/null; }

# update_markdown_section FILE KEY-OR-HEADING CONTENT [--in HEADING]...: the content is literal, also / and &.
update_markdown_section() { printf '%s' "$3" | holdfast state section "$1" "$2" "${@:4}" > /dev/null; }

# check_for_corruption FILE-OR-FOLDER: 1 when something is left over or damaged.
check_for_corruption() { holdfast state inspect "$@"; }

# recover_from_corruption FILE [--dry-run] [--foreign]: only what was written whole takes the place of what is damaged.
recover_from_corruption() { holdfast state recover "$@"; }

# validate_file FILE: 0 when it can be read as what its name says.
validate_file() { holdfast state get "$1" > /dev/null; }

# reinitialize_from_summaries FOLDER [--dry-run] [--force]
reinitialize_from_summaries() { holdfast state rebuild "$@"; }
