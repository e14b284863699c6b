"""The stand-alone product, put together: settings, addresses, servers, worker, housekeeper."""
