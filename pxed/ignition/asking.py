"""How a machine's scripts ask pxed: the part of shell that the installer and the report share.

For bash and busybox's ash, with curl. Nothing of a URL is on a command line, which every user of the machine may see,
or in the journal: it goes to curl by standard input (curl(1), --config).
"""

from __future__ import annotations

ASKING = r"""
say() { printf 'pxed: %s\n' "$*"; }

# What may be shown and sent: plain text, and no secret of a URL.
clean() { tr '\r' '\n' | LC_ALL=C tr -cd '\n\t\40-\176' | sed 's/token=[^&[:space:]]*/token=.../g'; }

# ask FILE SUFFIX OPTION...: one request to the URL in the file. Prints its HTTP status; fails without a whole answer.
ask() {
    ask_file=$1 ask_suffix=$2
    shift 2
    [ ! -s "$at/ca.pem" ] || set -- --cacert "$at/ca.pem" "$@"
    { printf 'url = "'; cat "$ask_file"; printf '%s"\n' "$ask_suffix"; } |
        curl -q --config - --globoff --silent --show-error --connect-timeout 10 --max-time 60 \
            --write-out '%{http_code}' "$@" 2>"$work/trouble"
}

# Why the last request failed, in one line.
trouble() {
    if [ "$status" = 000 ]; then
        head -n 1 "$work/trouble" | clean
    else
        printf 'HTTP status %s' "$status"
        [ ! -s "$work/answer" ] || { printf ': '; head -c 300 "$work/answer" | clean | head -n 1; }
    fi
}

# post STAGE FILE: report a stage, with the file as message, for as long as it takes. Fails when pxed refuses it.
post() {
    post_wait=1
    while :; do
        rm -f "$work/answer"
        status=$(ask "$at/report-url" "&stage=$1" --output "$work/answer" --data-binary "@$2") || status=000
        case $status in
        2??) return 0 ;;
        000 | 5??) say "cannot report \"$1\" yet, trying again in $post_wait s: $(trouble)" ;;
        *) return 1 ;;
        esac
        sleep "$post_wait"
        [ "$post_wait" -gt 15 ] || post_wait=$((post_wait * 2))
    done
}
"""
