"""What several tests share: small models, written files, fakes, slow references."""
