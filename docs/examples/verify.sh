#!/usr/bin/env bash
# Verifies one webhook with openssl. Usage: verify.sh SECRET ID TIMESTAMP SIGNATURE < body
set -euo pipefail
secret=$1 id=$2 timestamp=$3 signatures=$4

forged() {
    echo forged
    exit 1
}

[[ $timestamp =~ ^[0-9]{1,12}$ ]] || forged
age=$(($(date +%s) - 10#$timestamp))
((age >= -300 && age <= 300)) || forged

# The key in hexadecimal: openssl takes it in no other form that may hold every byte.
if [[ $secret == whsec_* ]]; then
    key=$(printf %s "${secret#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
else
    key=$(printf %s "$secret" | od -An -v -tx1 | tr -d ' \n')
fi
expected=v1,$({ printf '%s.%s.' "$id" "$timestamp"; cat; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64 -w0)
for given in $signatures; do
    # Digests of both are compared, so that the time taken tells nothing about the signature itself.
    [ "$(printf %s "$given" | sha256sum)" = "$(printf %s "$expected" | sha256sum)" ] && echo genuine && exit 0
done
forged
