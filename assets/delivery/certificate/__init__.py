"""The certificate: the time through which every change in NetSuite is proven to be in the target."""
