#!/bin/sh
# Gives a principal the rights that the processes of a pipeline need on the cluster, and no more.
#
#   rights.sh BOOTSTRAP PRINCIPAL [further arguments of kafka-acls.sh, such as --command-config FILE]
#
# `kafka-acls.sh` is Apache Kafka's own and must be on the path. The names below are those of
# pipelines/insider-breach/pipeline.toml; a pipeline with other names sets the variables. Who runs
# `chartwarden topics --apply --all` creates what is read as well, and needs Create and AlterConfigs on it too.
set -eu

bootstrap=${1:?the address of a broker}
principal=${2:?a principal, such as User:chartwarden}
shift 2

: "${READ:=ehr.access.v1 auth.events.v1 ref.staff.v1 ref.patients.v1 ref.relations.v1}"
: "${WRITTEN:=risk.findings.v1 risk.findings.v1.dlq}"
: "${STATE_PREFIX:=chartwarden.insider-breach}"
: "${GROUP:=chartwarden-insider-breach}"

# Options of all calls stand in "$@", with what is granted behind them.
grant() {
    kafka-acls.sh --bootstrap-server "$bootstrap" --add --allow-principal "$principal" "$@"
}

# Input and reference: read, and compared with what the pipeline expects of them.
for topic in $READ; do
    grant "$@" --operation Read --operation DescribeConfigs --topic "$topic"
done

# Findings and what could not be used: written, compared, and made where they are missing.
for topic in $WRITTEN; do
    grant "$@" --operation Read --operation Write --operation Create --operation DescribeConfigs \
        --operation AlterConfigs --topic "$topic"
done

# State: written and read again, and what is replaced is deleted.
grant "$@" --operation Read --operation Write --operation Create --operation Delete --operation DescribeConfigs \
    --operation AlterConfigs --resource-pattern-type prefixed --topic "$STATE_PREFIX"

# One transactional id for each lane.
grant "$@" --operation Write --operation Describe --resource-pattern-type prefixed --transactional-id "$STATE_PREFIX"

# The consumer groups: of lanes, and of lanes of watches (`GROUP-watch`).
grant "$@" --operation Read --operation Describe --resource-pattern-type prefixed --group "$GROUP"
