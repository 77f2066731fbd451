# shellcheck shell=bash
# TypeScript: as JavaScript. To be sourced, with `root` set.
# shellcheck source=/dev/null
. "$root/scripts/guests/languages/js.sh"
# What is measured (languages.sh names its `folder`) runs on the other engine than JavaScript's, so that both are.
if [ -n "${folder:-}" ] && [ "$(cd "$folder" && npm pkg get wasmill.engine)" != '"starlingmonkey"' ]; then
    (
        cd "$folder"
        npm pkg set wasmill.engine=starlingmonkey 'overrides[@bytecodealliance/jco]=1.15.4'
        npm install --save-dev --prefer-offline --no-audit --no-fund --no-progress --loglevel=error \
            "@bytecodealliance/componentize-js@$(node -p 'require(process.argv[1]).peerDependencies["@bytecodealliance/componentize-js"]' "$root/sdk/js/package.json")" >&2
    )
fi
