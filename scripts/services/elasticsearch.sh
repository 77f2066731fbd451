# Elasticsearch, from Maven: the build of its own integration tests. Two services: `elasticsearch`, open to all, and
# `secured`, with TLS and passwords as in production. Sourced by lib.sh.
# shellcheck shell=bash

ELASTICSEARCH_VERSION=8.19.21

# Of the user `wasmill`, who may do anything, and its bcrypt hash.
SECURED_PASSWORD=wasmill-secret
SECURED_HASH='$2b$04$hd0vGoBH7r3jrckxuAE4LeZyRLPin6ETd5re2iTeFzXd3rBqBhEUK'

install_elasticsearch() {
    local home=$SERVICES_HOME/elasticsearch-$ELASTICSEARCH_VERSION work
    [ -e "$home/complete" ] && return
    packages java openjdk-17-jre-headless
    packages mvn maven
    packages unzip unzip
    packages curl curl
    say "fetching Elasticsearch $ELASTICSEARCH_VERSION"
    work=$(mktemp -d)
    mvn -q -B dependency:copy -Dartifact="org.elasticsearch.distribution.integ-test-zip:elasticsearch:$ELASTICSEARCH_VERSION:zip" \
        -DoutputDirectory="$work" >&2
    rm -rf "$home"
    unzip -q "$work"/*.zip -d "$work/out"
    mv "$work"/out/* "$home"
    rm -rf "$work"
    # Read by the user that it runs as, wherever the folder is.
    chmod -R a+rX "$home"
    local folder=$home
    while [ "$folder" != / ]; do
        chmod a+x "$folder" 2>/dev/null || true
        folder=$(dirname "$folder")
    done
    touch "$home/complete"
}

install_secured() {
    install_elasticsearch
    packages openssl openssl
}

start_elasticsearch() { # DIR PORT
    node_config "$1" elasticsearch "$2" "xpack.security.enabled: false
xpack.security.http.ssl.enabled: false"
    start_node "$1" elasticsearch curl -sf "http://127.0.0.1:$2/_cluster/health?wait_for_status=yellow&timeout=1s"
}

# The authority to trust is DIR/secured/ca.pem.
start_secured() { # DIR PORT
    local dir=$1 port=$2 config=$1/secured/config
    node_config "$dir" secured "$port" "xpack.security.enabled: true
xpack.security.transport.ssl.enabled: false
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: server.key
xpack.security.http.ssl.certificate: server.pem
xpack.security.authc.api_key.enabled: true"
    if [ ! -s "$dir/secured/ca.pem" ]; then
        certificates "$config"
        cp "$config/ca.pem" "$dir/secured/ca.pem"
        echo "wasmill:$SECURED_HASH" >"$config/users"
        echo "superuser:wasmill" >"$config/users_roles"
    fi
    start_node "$dir" secured curl -sf --cacert "$dir/secured/ca.pem" -u "wasmill:$SECURED_PASSWORD" \
        "https://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s"
}

# An authority of this folder's own, and what it vouches for.
certificates() { # FOLDER
    (
        cd "$1"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=wasmill tests" \
            -addext "basicConstraints=critical,CA:TRUE" -keyout ca.key -out ca.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=127.0.0.1" -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out server.pem \
            -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n')
    ) 2>/dev/null
}

node_config() { # DIR SERVICE PORT MORE
    local dir=$1 service=$2 port=$3 config=$1/$2/config
    [ ! -s "$config/elasticsearch.yml" ] || return 0
    cp -r "$SERVICES_HOME/elasticsearch-$ELASTICSEARCH_VERSION/config" "$config"
    cat >"$config/elasticsearch.yml" <<END
cluster.name: wasmill-tests-$service
node.name: one
discovery.type: single-node
network.host: 127.0.0.1
http.port: $port
transport.port: $(free_port "$dir")
path.data: $dir/$service/data
path.logs: $dir/$service/logs
cluster.routing.allocation.disk.threshold_enabled: false
$4
END
}

start_node() { # DIR SERVICE COMMAND-THAT-SUCCEEDS-WHEN-IT-IS-UP...
    local dir=$1 service=$2 home=$SERVICES_HOME/elasticsearch-$ELASTICSEARCH_VERSION run=(env)
    shift 2
    mkdir -p "$dir/$service/tmp"
    # It refuses to run as root.
    if [ "$(id -u)" = 0 ]; then
        id wasmill-es >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin wasmill-es
        chown -R wasmill-es "$dir/$service"
        chmod 711 "$dir"
        run=(setpriv --reuid=wasmill-es --regid=wasmill-es --clear-groups env)
    fi
    setsid "${run[@]}" ES_JAVA_HOME="$(java_home)" ES_PATH_CONF="$dir/$service/config" ES_TMPDIR="$dir/$service/tmp" \
        ES_JAVA_OPTS="-Xms512m -Xmx512m -Dwasmill.service=$dir/$service." "$home/bin/elasticsearch" \
        >>"$dir/$service.log" 2>&1 </dev/null &
    note "$dir" "$service" $!
    wait_for "$dir" "$service" 300 "$@"
    # The script starts the server as a child of its launcher: that one is the service.
    local server
    server=$(pgrep -f "wasmill.service=$dir/$service\\. .*org.elasticsearch.bootstrap.Elasticsearch" | head -n 1)
    [ -z "$server" ] || note "$dir" "$service" "$server"
}
