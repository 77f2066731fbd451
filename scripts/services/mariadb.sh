# MariaDB of Debian with a binlog of rows: the database whose changes Maxwell reads. Sourced by lib.sh.
# shellcheck shell=bash

install_mariadb() { packages mariadbd mariadb-server; }

# `root` without a password, over TCP too: it listens on the loopback interface alone, and its data ends with the folder.
start_mariadb() { # DIR PORT
    local dir=$1 port=$2 data=$1/mariadb/data user=()
    # It refuses to run as root; Debian's package makes a user for it.
    if [ "$(id -u)" = 0 ]; then
        user=(--user=mysql)
        chown mysql "$dir/mariadb"
        chmod 711 "$dir"
    fi
    if [ ! -e "$data/complete" ]; then
        rm -rf "$data"
        mariadb-install-db --no-defaults "${user[@]}" --datadir="$data" --auth-root-authentication-method=normal \
            --skip-test-db >>"$dir/mariadb.log" 2>&1
        touch "$data/complete"
    fi
    # old-mode: `utf8` is utf8mb4, since Maxwell does not know the name utf8mb3, which its tables would have otherwise.
    # Checksums and annotations are things that its reader of the binlog does not expect.
    setsid mariadbd --no-defaults "${user[@]}" --datadir="$data" --port="$port" --bind-address=127.0.0.1 \
        --socket="$dir/mariadb/own.sock" --pid-file="$dir/mariadb/own.pid" --server-id=1 --log-bin=master \
        --binlog-format=ROW --binlog-row-image=FULL --binlog-annotate-row-events=OFF --binlog-checksum=NONE \
        --character-set-server=utf8mb4 --old-mode= --skip-name-resolve --innodb-buffer-pool-size=64M \
        --innodb-flush-log-at-trx-commit=2 --performance-schema=OFF >>"$dir/mariadb.log" 2>&1 </dev/null &
    note "$dir" mariadb $!
    wait_for "$dir" mariadb 60 sql "$dir" "SELECT 1"
    sql "$dir" "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES;
        CREATE USER IF NOT EXISTS root@'127.0.0.1'; GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;"
}

sql() { mariadb --no-defaults --socket="$1/mariadb/own.sock" --user=root --batch --skip-column-names -e "$2"; } # DIR SQL
