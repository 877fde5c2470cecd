# The tasks of a developer. `make test` runs every test; `.ci/run` adds the linters.
target := x86_64-unknown-linux-gnu
cache := $(or $(VAULTMOUNT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vaultmount)

.PHONY: build test unit e2e soak demo bench lint binary image
build:
	cargo build

# Every test, the fastest to fail first; ends with one count over all.
test:
	scripts/test

# Unit tests, and the tests that need no cluster: the real binary against a real OpenBao.
unit:
	scripts/packages
	scripts/unit

# The tests in real clusters, on both lines of the CSI driver. Needs root.
e2e:
	e2e/run

# Ten minutes without a server for 100 volumes, and ten minutes of certificates with a lifetime of 30 s.
soak:
	scripts/packages
	VAULTMOUNT_SOAK_SECONDS=600 cargo test --locked --test provider soak::

demo:
	demo/run

# Compares mounts with the same calls made directly to the server; rewrites the tables of docs/performance.md. Needs an otherwise idle machine.
bench: binary
	cargo bench --locked --bench load --target-dir "$(cache)/release" -- --write "$(CURDIR)/docs/performance.md"

lint:
	scripts/lint

# One static binary. Built outside of the tree, so that a fresh clone finds its dependencies compiled.
binary:
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(target) --target-dir "$(cache)/release"
	install -D "$(cache)/release/$(target)/release/vaultmount" target/image/vaultmount

image:
	e2e/image
