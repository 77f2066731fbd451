#!/usr/bin/env bash
# Installs what the real servers of the tests need, once: Apache Kafka, Elasticsearch and Maxwell from Maven, Redis,
# MariaDB, Java and Maven from Debian where they are missing. Usage: install.sh [kafka] [elasticsearch] [redis]
# [secured] [mariadb] [maxwell], by default the first three.
set -euo pipefail
# shellcheck source=scripts/services/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir -p "$SERVICES_HOME"
exec 9>"$SERVICES_HOME/lock"
flock 9

packages() { # COMMAND PACKAGE...: installs the packages where the command is missing
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        die "$command is missing; install it (on Debian, as root: apt-get install $*)"
    fi
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    # A server that Debian would start at once is ours to start.
    [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
    apt-get install -y --no-install-recommends "$@" >&2 || { apt-get update >&2 && apt-get install -y --no-install-recommends "$@" >&2; }
}

install_kafka() {
    local home=$SERVICES_HOME/kafka-$KAFKA_VERSION work
    [ -e "$home/complete" ] && return
    packages java openjdk-17-jre-headless
    packages mvn maven
    say "fetching Apache Kafka $KAFKA_VERSION"
    work=$(mktemp -d)
    cat >"$work/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>wasmill</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>$SLF4J_VERSION</version></dependency>
  </dependencies>
</project>
END
    rm -rf "$home"
    (cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$home/libs") >&2
    rm -rf "$work"
    touch "$home/complete"
}

install_redis() { packages redis-server redis-server; }

packages python3 python3
packages setpriv util-linux
for service in $(chosen "$@"); do
    case $service in broker?) install_kafka ;; *) "install_$service" ;; esac
done
