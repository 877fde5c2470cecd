# The image: one static binary and nothing else. Built by `make image`, after `make binary`.
# No USER: the manifests run it as 65532, a peer's chart as it runs its own provider.
FROM scratch
COPY target/image/vaultmount /vaultmount
ENTRYPOINT ["/vaultmount"]
