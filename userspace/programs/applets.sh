#!/bin/busybox sh
# Sixty busybox applets and pipelines. Output depends on nothing but the programs and the kernel: the same
# on every Linux. Run as `busybox sh applets.sh` in an empty writable directory.
B=/bin/busybox
export LC_ALL=C TZ=UTC
n=0
t() { n=$((n + 1)); echo "--- $n: $*"; }

t seq;        $B seq 1 5
t sort;       printf 'b 2\na 10\nc 1\n' | $B sort
t sort-n;     printf 'b 2\na 10\nc 1\n' | $B sort -k2 -n -r
t uniq;       printf 'a\na\nb\nb\nb\n' | $B uniq -c
t wc;         printf 'one two\nthree\n' | $B wc
t head;       $B seq 100 | $B head -n 3
t tail;       $B seq 100 | $B tail -n 3
t cut;        printf 'a:b:c\nd:e:f\n' | $B cut -d: -f2
t tr;         echo hello | $B tr a-z A-Z
t sed;        echo 'foo bar' | $B sed 's/o\+/0/; s/bar/(&)/'
t awk;        $B seq 10 | $B awk '{ s += $1 * $1 } END { print s, NR }'
t grep;       $B seq 30 | $B grep -c '1'
t grep-v;     printf 'a\nb\nc\n' | $B grep -v b
t expr;       $B expr 6 '*' 7
t dc;         echo '2 3 ^ p' | $B dc
t bc;         echo '2^64' | $B bc
t basename;   $B basename /usr/lib/libc.so .so
t dirname;    $B dirname /usr/lib/libc.so
t md5sum;     echo data | $B md5sum
t sha256sum;  echo data | $B sha256sum
t base64;     echo 'hello, world' | $B base64 | $B base64 -d
t od;         printf 'abc\000\377' | $B od -An -tx1
t hexdump;    printf 'abcdefghijklmnop' | $B hexdump -C
t xxd;        printf 'abcd' | $B xxd
t rev;        echo abc | $B rev
t tac;        $B seq 3 | $B tac
t nl;         printf 'x\ny\n' | $B nl
t fold;       echo 1234567890 | $B fold -w 4
t paste;      $B seq 3 >f1; $B seq 4 6 >f2; $B paste f1 f2
t diff;       $B diff f1 f2; echo "status $?"
t cmp;        $B cmp f1 f1 && echo same
t cat;        $B cat f1 f2 | $B wc -l
t tee;        echo tee | $B tee f3; $B cat f3
t cp;         $B cp f1 f4 && $B cmp f1 f4 && echo copied
t mv;         $B mv f4 f5; $B ls f4 2>/dev/null; $B ls f5
t ln;         $B ln -s f5 link; $B readlink link; $B ln f5 hard; $B stat -c '%h %s %F' f5
t mkdir;      $B mkdir -p d/e/f; $B find d | $B sort
t rmdir;      $B rmdir d/e/f d/e; $B ls d; echo "status $?"
t touch;      $B touch -d '2001-02-03 04:05:06' old; $B stat -c '%y' old
t chmod;      $B chmod 640 old; $B stat -c '%a' old
t dd;         $B dd if=/dev/zero bs=1k count=3 2>/dev/null | $B wc -c
t truncate;   $B truncate -s 10000 sparse; $B stat -c '%s' sparse
t tar;        $B tar cf a.tar f1 f2; $B tar tf a.tar; $B mkdir x; $B tar xf a.tar -C x; $B cmp f1 x/f1 && echo extracted
t gzip;       $B seq 1000 | $B gzip | $B gunzip | $B md5sum
t cpio;       echo f1 | $B cpio -o -H newc 2>/dev/null | $B cpio -t 2>/dev/null
t xargs;      $B seq 6 | $B xargs -n 2 echo
t find-exec;  $B find . -name 'f[12]' -exec $B wc -l '{}' ';' | $B sort
t env;        $B env -i A=1 B=2 $B env | $B sort
t id;         $B id -u
t date;       $B date -u -d '@1000000000' '+%F %T'
t cal;        $B cal 2 2024
t factor;     $B factor 360360
t sleep;      $B sleep 0.01; echo slept
t timeout;    $B timeout 1 $B sleep 5; echo "status $?"
t true-false; $B true && ! $B false && echo ok
t yes;        $B yes | $B head -n 2
t which;      $B which busybox
t pipeline;   $B seq 1 2000 | $B grep 7 | $B sed 's/7/x/g' | $B sort | $B uniq | $B wc -l
t background; ($B sleep 0.02; echo child) & wait; echo parent
t subshell;   (exit 3); echo "status $?"
t here;       $B cat <<EOF
here $n
EOF
t loop;       i=0; while [ $i -lt 200 ]; do i=$((i + 1)); done; echo $i
t trap;       trap 'echo caught' USR1; kill -USR1 $$; echo after
t killed;     $B sleep 10 & kill -TERM $!; wait $!; echo "status $?"
t fds;        exec 5>out5; echo five >&5; exec 5>&-; $B cat out5
t big;        $B seq 50000 | $B sort -rn | $B md5sum
t rm;         $B rm -rf x d f1 f2 f3; $B ls | $B sort
echo "applets: $n"
