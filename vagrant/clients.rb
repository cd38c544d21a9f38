# The machines that boot from the network: no box, no disk. Both Vagrantfiles use them.
#
# PXED_DRIVER=qemu   emulation, for a host without KVM (default: kvm)
# PXED_MEMORY=3072   MiB for each machine: Flatcar in memory needs 3 GB
# PXED_CONSOLE=DIR   write the serial consoles to DIR/NAME.serial (default: a terminal, for `virsh console`)

module PxedClients
  DRIVER = ENV.fetch("PXED_DRIVER", "kvm")
  CPU = DRIVER == "kvm" ? "host-model" : "maximum"
  MEMORY = ENV.fetch("PXED_MEMORY", "3072").to_i
  CONSOLE = ENV["PXED_CONSOLE"]
  OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd" # without Secure Boot, which refuses Debian's iPXE

  # name, MAC (pxed.yaml has the same), firmware, network card
  ALL = [
    ["bios1", "52:54:00:70:78:01", :bios, "virtio"],
    ["uefi1", "52:54:00:70:78:02", :uefi, "virtio"],
    ["bios2", "52:54:00:70:78:03", :bios, "e1000"],
  ]

  def self.define(config, **network)
    ALL.each do |name, mac, firmware, card|
      config.vm.define name do |client|
        client.vm.network :private_network, mac: mac, **network
        client.vm.synced_folder ".", "/vagrant", disabled: true
        client.vm.provider(:libvirt) { |libvirt| machine(libvirt, name, firmware, card) }
      end
    end
  end

  def self.machine(libvirt, name, firmware, card)
    libvirt.default_prefix = "pxed_"
    libvirt.driver = DRIVER
    libvirt.cpu_mode = CPU
    libvirt.memory = MEMORY
    libvirt.cpus = 1
    libvirt.mgmt_attach = false # its only network is the one that it boots from
    libvirt.nic_model_type = card
    libvirt.boot "network"
    libvirt.graphics_type = "none"
    libvirt.serial(CONSOLE ? { type: "file", source: { path: File.join(CONSOLE, "#{name}.serial") } } : {})
    return if firmware == :bios

    libvirt.machine_type = "q35"
    libvirt.loader = OVMF
    libvirt.nvram = "/var/lib/libvirt/qemu/nvram/pxed-#{name}_VARS.fd"
    # Without QEMU's iPXE ROM in the card it is the firmware's own PXE client that boots.
    libvirt.qemuargs value: "-global"
    libvirt.qemuargs value: "virtio-net-pci.romfile="
  end
end
