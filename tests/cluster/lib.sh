# shellcheck shell=bash
# What the scripts of this folder share. To be sourced, by a script that says its usage in $usage.

program=$(basename "$0")
started=$EPOCHREALTIME

# Tenths of seconds since the script began, as "12.3 s".
elapsed() {
  local tenths=$(((${EPOCHREALTIME/[.,]/} - ${started/[.,]/}) / 100000))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

say() { printf '%s: %s\n' "$program" "$*" >&2; }
progress() { printf '%s: %7s  %s\n' "$program" "$(elapsed)" "$*" >&2; }
fail() { say "$*"; exit 1; }
misused() { say "$*"; say "usage: ${usage:-see its head}"; exit 2; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; a function `still_possible`, if there is one, may end it.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if declare -F still_possible >/dev/null; then still_possible; fi
    [ "$SECONDS" -lt "$deadline" ] || fail "no $what within its deadline"
    sleep 0.1
  done
}

# The name by which everything that a cluster makes outside its own namespaces and folder can be found again.
cluster_id() { printf 'glm-%s' "$(printf %s "$1" | sha256sum | cut -c 1-8)"; }

# The box's outermost process, if it runs. A number alone is no proof: it may have been given to another program.
box_process() {
  local dir=$1 id pid
  id=$(cluster_id "$dir")
  for pid in $(cat "$dir/box.pid" 2>/dev/null) $(pgrep -x unshare); do
    if tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$id"; then
      printf %s "$pid"
      return
    fi
  done
  return 1
}

# The folders of the cgroup hierarchies: one for each controller in version 1, one for all in version 2, or a mixture.
cgroup_roots() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }
