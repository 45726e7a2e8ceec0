#!/usr/bin/env bash
# Run the plans of a folder one after another, as long_run.py does and on the same files; needs jq, for reading, and flock.
set -euo pipefail
# shellcheck source=state.sh
. "$(dirname "${BASH_SOURCE[0]}")/state.sh"
cd "$1"

# The lock of long_run.py. Commands inherit it, so it is free only when the last one of a killed run has ended too.
exec 9>> executor.lock
flock -n 9 || { echo "another executor works in $1" >&2; exit 4; }

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

plans() { (cd plans && ls) | sed -n 's/-PLAN\.md$//p' | sort -V; }

title() { sed -n 's/^# //p' "plans/$1-PLAN.md" | head -n 1; }

is_done() { grep -qsx 'status: completed' "summaries/$1-SUMMARY.md"; }

mend() {
  [ -e agent-history.json ] || write_atomic agent-history.json '{"version": "1.0", "max_entries": 50, "entries": []}'
  validate_file agent-history.json || recover_from_corruption agent-history.json || reinitialize_from_summaries .
  rm -f current-agent-id.txt
  local agent plan
  while IFS=$'\t' read -r agent plan <&3; do
    if is_done "$plan"; then ended "$agent" completed; else ended "$agent" interrupted; fi
  done 3< <(jq -r '.entries[] | select(.status == "spawned") | [.agent_id, .plan] | @tsv' agent-history.json)
}

# spawned AGENT PLAN
spawned() {
  write_atomic current-agent-id.txt "$1" --durability atomic
  update_json_atomic agent-history.json \
    '.entries = (.entries + [{agent_id: $agent, plan: $plan, status: "spawned", spawned_at: $at}])[-50:]' \
    --arg agent "$1" --arg plan "$2" --arg at "$(now)"
}

# ended AGENT STATUS
ended() {
  update_json_atomic agent-history.json \
    '(.entries[] | select(.agent_id == $agent)) += {status: $status, ended_at: $at}' \
    --arg agent "$1" --arg status "$2" --arg at "$(now)"
  write_atomic STATE.md "$(state_text "$1" "$2")"
  rm -f current-agent-id.txt
}

# state_text AGENT STATUS
state_text() {
  local plan mark list='' all=0 completed=0
  for plan in $(plans); do
    mark=' '
    if is_done "$plan"; then mark=x completed=$((completed + 1)); fi
    all=$((all + 1)) list+=$'\n'"- [$mark] $plan $(title "$plan")"
  done
  printf '# State\n\nAgent: %s\nStatus: %s\nDone: %s of %s\n\n## Plans\n%s' "$1" "$2" "$completed" "$all" "$list"
}

# note ISSUE: once, also when the task is repeated because the run was killed before its checkpoint.
note() {
  local old='# Issues'$'\n'
  [ ! -e ISSUES.md ] || old=$(cat ISSUES.md)
  grep -qsxF -e "- $1" ISSUES.md || write_atomic ISSUES.md "$old"$'\n'"- $1"
}

# perform PLAN NUMBER TASK: print the product as JSON.
perform() {
  local about=${3#*:} words
  about=${about# }
  case $3 in
    count:*)
      words=$(wc -w < "texts/$about") || return 1
      [ "$words" -gt 0 ] || note "$1: $about holds no word" >&2 || return
      printf '{"words": %d}' "$words"
      ;;
    total:*) jq '{total: ([.done[].product.words // 0] | add)}' checkpoint.json ;;
    ask:*) jq -en --rawfile known clarifications.md --arg question "- $1/$2: " \
      '$known | split("\n")[] | select(startswith($question)) | {answer: .[$question | length:]}' 2>&1 || return 75 ;;
    *) echo "nobody knows how to do: $3" >&2; return 1 ;;
  esac
}

# work PLAN: do the tasks that stand in no checkpoint yet.
work() {
  local plan=$1 number=0 known task product
  [ "$(jq -r .plan checkpoint.json 2> /dev/null)" = "$plan" ] ||
    write_atomic checkpoint.json "$(jq -n --arg plan "$plan" '{plan: $plan, done: []}')" || return
  known=$(jq '.done | length' checkpoint.json)
  while IFS= read -r task <&3; do
    number=$((number + 1))
    [ "$number" -gt "$known" ] || continue
    product=$(perform "$plan" "$number" "$task") || return
    update_json_atomic checkpoint.json '.done += [{task: $task, product: $product}]' \
      --arg task "$task" --argjson product "$product" || return
    echo "$plan/$number $task"
  done 3< <(sed -n -E '/^- [a-z]+:/ { s/^- //; s/ *$//; p; }' "plans/$plan-PLAN.md")
}

# summarize PLAN AGENT: with it the plan has ended.
summarize() {
  local facts
  facts=$(jq -r '.done[] | "- \(.task) -> \(.product | tojson)"' checkpoint.json)
  write_atomic "summaries/$1-SUMMARY.md" "$(printf -- '---\nplan: %s\nstatus: completed\nagent: %s\n---\n# %s\n\n%s' \
    "$1" "$2" "$(title "$1")" "$facts")"
}

mend
for plan in $(plans); do
  if is_done "$plan"; then continue; fi
  agent=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')
  spawned "$agent" "$plan"
  code=0
  work "$plan" || code=$?
  case $code in
    0) summarize "$plan" "$agent"; ended "$agent" completed; echo "$plan completed" ;;
    75) ended "$agent" waiting; echo "$plan waiting for an answer"; exit 75 ;;
    *) ended "$agent" failed; echo "$plan failed"; exit "$code" ;;
  esac
done
