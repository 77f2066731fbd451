;; WASI preview 1 for programs of the Go compiler, on top of WASI 0.2.
;;
;; Go speaks preview 1 only, and components speak 0.2. The stock adapter of wasmtime does not fit Go:
;;
;; - It needs memory of its own, and takes it with memory.grow or from the program's cabi_realloc. Go's runtime ignores
;;   what memory.grow answers (runtime.sbrk) and believes that the new pages follow those that it knows of: it would give
;;   the adapter's away as its own. And nothing of a Go program can be called before its runtime is up, while it is the
;;   adapter that is called to bring it up.
;; - It imports all of WASI 0.2, of which a module may use next to nothing.
;;
;; So this one keeps a few bytes below 12 KiB, where Go's linker puts nothing (wasmMinDataAddr in cmd/link; the room is for
;; arguments and environment under GOOS=js), imports what it calls, and answers "no such file" and "bad descriptor" for the
;; rest.
;;
;; Numbers: errno 0 success, 8 badf, 29 io, 44 noent, 58 notsup. Offsets of structs are those of wasi_snapshot_preview1.witx.
(module
  (import "env" "memory" (memory 0))
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))
  (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
    (func $write (param i32 i32 i32 i32)))
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))

  ;; Where answers of imports are written: 24 bytes are needed.
  (global $scratch i32 (i32.const 1024))
  ;; Handles of the streams; -1 until one is asked for.
  (global $out (mut i32) (i32.const -1))
  (global $err (mut i32) (i32.const -1))

  ;; While the host runs the program's realloc, a component that calls out traps ("cannot leave component instance"). The
  ;; SDK says so with wasmill_hold: times stand still then, and what is written is lost.
  (global $held (mut i32) (i32.const 0))
  (global $wall_ns (mut i64) (i64.const 0))
  (global $monotonic_ns (mut i64) (i64.const 0))
  (func (export "wasmill_hold") (param $on i32)
    (global.set $held (local.get $on)))

  (func (export "clock_time_get") (param $id i32) (param $precision i64) (param $time i32) (result i32)
    (if (i32.eqz (local.get $id))
      (then
        (if (i32.eqz (global.get $held))
          (then
            (call $wall (global.get $scratch))
            (global.set $wall_ns
              (i64.add
                (i64.mul (i64.load (global.get $scratch)) (i64.const 1000000000))
                (i64.load32_u offset=8 (global.get $scratch))))))
        (i64.store (local.get $time) (global.get $wall_ns)))
      (else
        ;; One more than it is: Go refuses to start at 0.
        (if (i32.eqz (global.get $held))
          (then (global.set $monotonic_ns (i64.add (call $monotonic) (i64.const 1)))))
        (i64.store (local.get $time) (global.get $monotonic_ns))))
    (i32.const 0))

  ;; Go asks for a clock alone, or for a clock first and descriptors after it, of which there are none.
  (func (export "poll_oneoff") (param $in i32) (param $event i32) (param $n i32) (param $count i32) (result i32)
    (if (i32.or (i32.eqz (local.get $n)) (i32.load8_u offset=8 (local.get $in)))
      (then (return (i32.const 58))))
    (if (i32.eqz (global.get $held))
      (then
        (call $sleep
          (i64.load offset=24 (local.get $in))
          (i32.and (i32.load16_u offset=40 (local.get $in)) (i32.const 1)))))
    (memory.fill (local.get $event) (i32.const 0) (i32.const 32))
    (i64.store (local.get $event) (i64.load (local.get $in)))
    (i32.store (local.get $count) (i32.const 1))
    (i32.const 0))

  ;; Waits for so many nanoseconds, or until that time. In pieces of 10 ms: the host cannot end a call of its own, and looks
  ;; at the deadline of the module's call only when that goes on.
  (func $sleep (param $until i64) (param $absolute i32)
    (local $left i64) (local $pollable i32)
    (if (i64.eqz (local.get $until)) (then (return)))
    (if (i32.eqz (local.get $absolute))
      (then (local.set $until (i64.add (local.get $until) (call $monotonic)))))
    (loop $piece
      (local.set $left (i64.sub (local.get $until) (call $monotonic)))
      (if (i64.gt_s (local.get $left) (i64.const 0))
        (then
          (local.set $pollable
            (call $after
              (select (local.get $left) (i64.const 10000000) (i64.lt_s (local.get $left) (i64.const 10000000)))))
          (call $block (local.get $pollable))
          (call $drop_pollable (local.get $pollable))
          (br $piece)))))

  (func (export "random_get") (param $at i32) (param $n i32) (result i32)
    (local $bits i64) (local $i i32)
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (if (i32.eqz (i32.or (global.get $held) (i32.and (local.get $i) (i32.const 7))))
          (then (local.set $bits (call $random))))
        (i64.store8 (i32.add (local.get $at) (local.get $i)) (local.get $bits))
        (local.set $bits (i64.shr_u (local.get $bits) (i64.const 8)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
    (i32.const 0))

  ;; Standard output and standard error.
  (func (export "fd_write") (param $fd i32) (param $iovs i32) (param $n i32) (param $written i32) (result i32)
    (local $stream i32) (local $sum i32)
    (if (i32.ge_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 2)) (then (return (i32.const 8))))
    (local.set $stream (call $stream (local.get $fd)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (if (call $write_all
              (local.get $stream) (i32.load (local.get $iovs)) (i32.load offset=4 (local.get $iovs)))
          (then (return (i32.const 29))))
        (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $iovs))))
        (local.set $iovs (i32.add (local.get $iovs) (i32.const 8)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  ;; The stream of descriptor 1 or 2; asked for once, for each answer is another handle.
  (func $stream (param $fd i32) (result i32)
    (if (global.get $held) (then (return (i32.const -1))))
    (if (i32.eq (local.get $fd) (i32.const 1))
      (then
        (if (i32.lt_s (global.get $out) (i32.const 0)) (then (global.set $out (call $stdout))))
        (return (global.get $out))))
    (if (i32.lt_s (global.get $err) (i32.const 0)) (then (global.set $err (call $stderr))))
    (global.get $err))

  ;; In pieces of 4096 bytes, which is all that WASI 0.2 takes at a time. Answers whether it failed.
  (func $write_all (param $stream i32) (param $at i32) (param $left i32) (result i32)
    (local $piece i32)
    (if (global.get $held) (then (return (i32.const 0))))
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $piece
          (select (i32.const 4096) (local.get $left) (i32.gt_u (local.get $left) (i32.const 4096))))
        (call $write (local.get $stream) (local.get $at) (local.get $piece) (global.get $scratch))
        (if (i32.load8_u (global.get $scratch)) (then (return (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (local.get $piece)))
        (local.set $left (i32.sub (local.get $left) (local.get $piece)))
        (br $more)))
    (i32.const 0))

  ;; A trap, which is what a module's end is to its host. Go leaves with 2 after it has written a panic and its stack to
  ;; standard error; who leaves in another way gets a line of ours: "the module called exit\n".
  (func (export "proc_exit") (param $code i32)
    (if (i32.and (i32.ne (local.get $code) (i32.const 2)) (i32.eqz (global.get $held)))
      (then
        ;; An adapter has no data segments.
        (i64.store (i32.const 1056) (i64.const 0x75646f6d20656874))
        (i64.store (i32.const 1064) (i64.const 0x656c6c616320656c))
        (i64.store (i32.const 1072) (i64.const 0x000a746978652064))
        (drop (call $write_all (call $stream (i32.const 2)) (i32.const 1056) (i32.const 23)))))
    unreachable)

  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; No arguments, no environment.
  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (func $nothing (param i32 i32) (result i32) (i32.const 0))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))
  (export "args_get" (func $nothing))
  (export "environ_get" (func $nothing))

  ;; Descriptors 0 to 2 are character devices; there are no others, and no folder is open.
  (func (export "fd_fdstat_get") (param $fd i32) (param $stat i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2)) (then (return (i32.const 8))))
    (memory.fill (local.get $stat) (i32.const 0) (i32.const 24))
    (i32.store8 (local.get $stat) (i32.const 2))
    (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 0))
  (func (export "fd_close") (param i32) (result i32) (i32.const 0))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_renumber") (param i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 44))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 44))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (i32.const 58))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (i32.const 58)))
