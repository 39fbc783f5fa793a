# shellcheck shell=bash
# For the scripts of suites, to be sourced.

# missing WORD WHY skips a suite because the machine lacks something, or fails it if
# WORD is in MUSTER_REQUIRE, which lists what the machine must have (internal/needs
# does the same for Go tests). Words are awscli (Debian's), browser, cargo, java,
# mosquitto, postgres.
missing() {
	case ",${MUSTER_REQUIRE:-}," in
	*",$1,"*)
		echo "MUSTER_REQUIRE=$MUSTER_REQUIRE, but $2" >&2
		exit 1
		;;
	esac
	echo "skipped, needs $1: $2"
	exit 0
}

# packages makes node_modules hold what package-lock.json pins.
packages() {
	cmp -s package-lock.json node_modules/.installed || {
		npm ci --silent
		cp package-lock.json node_modules/.installed
	}
}
