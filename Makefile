# What people do with this tree. `make test` is the whole proof; `.ci/run` adds the linters to it.
target := x86_64-unknown-linux-gnu
cache := $(or $(VAULTMOUNT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vaultmount)

.PHONY: build test unit e2e soak demo bench lint binary image
build:
	cargo build

# Everything, in the order in which it fails soonest; ends with one count over all of it.
test:
	scripts/test

# Unit tests, and the tests that need no cluster: the real binary against a real OpenBao.
unit:
	scripts/packages
	scripts/unit

# The tests in real clusters, on both lines of the CSI driver. Needs root.
e2e:
	e2e/run

# Ten minutes without a server, 100 volumes; ten minutes of certificates that live for half of one.
soak:
	scripts/packages
	VAULTMOUNT_SOAK_SECONDS=600 cargo test --locked --test provider soak::

demo:
	demo/run

# Beside the same calls made by hand; rewrites the tables of docs/performance.md. Wants the machine for itself.
bench: binary
	cargo bench --locked --bench load --target-dir "$(cache)/release" -- --write "$(CURDIR)/docs/performance.md"

lint:
	scripts/lint

# One file without any shared library. Built beside the tree, so that a fresh clone finds its dependencies compiled.
binary:
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(target) --target-dir "$(cache)/release"
	install -D "$(cache)/release/$(target)/release/vaultmount" target/image/vaultmount

image:
	e2e/image
