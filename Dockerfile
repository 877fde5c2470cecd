# The image: one static binary and nothing else. Built by `make image`, after `make binary`.
# No USER: our manifests run it as 65532, and the chart of an upstream provider runs it as its own provider.
FROM scratch
COPY target/image/vaultmount /vaultmount
ENTRYPOINT ["/vaultmount"]
